"use strict";
// The live network: two trained networks that run in the page, on the same bits, for the reader to damage.
//
// `networks.js`, which `make book` writes (tsrnn/book/live.py), sets TSRNN_LIVE; `model.js` has the network, `panel.js`
// its picture; here every <div class="live"> becomes a figure: a panel for each network, and the controls of both.
(() => {
  const { Network, Panel, STEPS, TALLY, SETTLE, uniform, range } = window.live;

  const BITS = 24; // that can be flipped
  const SPEEDS = [1, 2, 4, 8, 15, 30, 60]; // steps a second
  const NOISES = [0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]; // of the units' mean standard deviation
  const FEW = 20; // units, as many as the paper removes one by one
  const NAMES = { multi: "Multi-head", single: "Single-head" };
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");

  const button = (what, text, more = "") => `<button data-do="${what}" ${more}>${text}</button>`;
  const remove = (which, text, more = "") => button("remove", text, `data-which="${which}" aria-pressed="false" ${more}`);
  const slider = (name, label, last) => `<label class="live-slider"><span>${label} <b class="live-value" aria-hidden="true"></b></span>
    <input type="range" name="${name}" min="0" max="${last}" value="0"></label>`;
  const number = (name, label, min, max, value) =>
    `<input type="number" name="${name}" aria-label="${label}" min="${min}" max="${max}" value="${value}">`;

  function panelHtml(kind, { ns }, id) {
    const N = Math.max(...ns), name = NAMES[kind], several = ns.length > 1;
    const heads = several ? `${ns.length} heads, N = ${Math.min(...ns)} to ${N}` : `1 head, N = ${N}`;
    const canvas = (part, label) => `<canvas class="live-${part}" role="img" aria-label="${name}: ${label}"></canvas>`;
    return `<div class="live-panel" data-kind="${kind}" style="--rows: ${ns.length}" role="group" aria-labelledby="${id}">
      <div class="live-title"><p id="${id}"><b>${name}</b><span>${heads}</span></p>
        <p class="live-score"><b class="live-right"></b><span class="live-of"></span></p></div>
      <div class="live-body">
        <div class="live-side" aria-hidden="true"><span>slow</span><span>fast</span></div>
        ${canvas("map", `activity of its units over the last ${STEPS} steps, slowest unit on top`)}
        ${canvas("tau", "time constant of each unit, slowest on top")}
        <div class="live-ns" aria-hidden="true"></div>
        ${canvas("answers", `answers of each head over the last ${STEPS} steps; the list says them for the last step`)}
        <ol class="live-lamps" aria-label="${name}, heads, largest N first"></ol>
        <p class="live-axis" aria-hidden="true"><span>${STEPS - 1} steps ago</span><span>now</span></p>
        ${several ? "" : `<p class="live-note">Its only head was moved up, from one N to the next, and now serves N = ${N}.
          There is no other to ask.</p>`}
      </div></div>`;
  }

  function figureHtml({ N, neurons, networks, perturbations }, id) {
    const last = perturbations.W.epsilon.length, panels = Object.entries(networks);
    const legend = { odd: "odd", even: "even", wrong: "wrong", changed: "changed", gone: "removed" };
    const keys = Object.entries(legend).map(([key, text]) => `<li class="live-k-${key}">${text}</li>`).join("");
    return `
      <div class="live-bar">
        ${remove("slowest", `Remove the ${FEW} slowest units`, 'class="live-main"')} ${button("restore", "Restore")}
        <div class="live-time">
          ${button("play", "Pause")} ${button("step", "Step", 'class="live-more"')}
          <label class="live-speed live-more"><span class="unseen">Speed</span>
            <input type="range" name="speed" min="0" max="${SPEEDS.length - 1}" value="2"><b class="live-value" aria-hidden="true"></b></label>
          <span class="live-pair" role="group" aria-label="Next bit"><span>next bit</span>
            ${[0, 1].map((bit) => button("bit", bit, `data-bit="${bit}" aria-label="Feed a ${bit}"`)).join("")}</span>
        </div>
      </div>
      <div class="live-strip" role="toolbar" aria-label="The last ${BITS} bits, newest last. Press one to flip it.">
        ${range(0, BITS).map((at) => `<button tabindex="${at < BITS - 1 ? -1 : 0}"></button>`).join("")}</div>
      <p class="live-small live-under"><span>Shaded: the last ${N} bits. Press a bit to flip it.</span><span>now</span></p>
      <div class="live-panels">${panels.map(([kind, stored]) => panelHtml(kind, stored, `${id}-${kind}`)).join("")}
        <div class="live-words">
          <ul class="live-legend" aria-label="Colours">${keys}</ul>
          <p class="live-status" role="status"></p>
          <p class="live-small live-published"></p>
        </div>
      </div>
      <div class="live-hands live-more">
        <fieldset><legend>Take units away</legend>
          <p>${remove("fastest", `the ${FEW} fastest`)} ${remove("random", `${FEW} at random`)}</p>
          <p>or units ${number("from", "first unit, counted from the slowest", 1, neurons, 1)} to
            ${number("to", "last unit, counted from the slowest", 1, neurons, 2 * FEW)} ${remove("range", "Remove")}</p>
          <p class="live-small">counted from the slowest; or drag along the strip of τ beside a map.</p></fieldset>
        <fieldset><legend>Alter what is remembered</legend>
          <p>${button("shift", "the bit", 'data-what="bit"')} of ${number("lag", "steps ago", 0, N - 2, 0)} steps ago</p>
          <p>${button("shift", "the sum", 'data-what="sum"')} of the last ${number("m", "bits in the sum", 2, N, 5)} bits</p>
          <p class="live-small">The bits stay as they were. Only the state is moved, as if this one thing had been otherwise.
            To flip the bit itself, press it above.</p></fieldset>
        <fieldset><legend>Disturb what is learnt</legend>
          ${slider("W", "weights W, ε =", last)} ${slider("tau", "time constants τ, ε =", last)}
          ${slider("noise", "noise in the activity", NOISES.length - 1)}
          <p><label class="live-tick"><input type="checkbox" name="allOne"> all τ = 1</label>
            ${button("draw", "Another draw")}</p></fieldset>
      </div>`;
  }

  class Figure {
    constructor(root, data, number) {
      this.root = root;
      this.data = data;
      root.classList.add("live-ready");
      root.innerHTML = figureHtml(data, `live${number}`);
      this.panels = Object.entries(data.networks).map(
        ([kind, stored]) => new Panel(new Network(stored), root.querySelector(`[data-kind=${kind}]`)),
      );
      const tauMax = Math.max(...this.panels.flatMap(({ network }) => [...network.tau]));
      for (const panel of this.panels) panel.tauMax = tauMax; // one scale for both
      this.bits = [];
      this.removal = null; // "slowest", "fastest", "random" or "range"
      this.flipped = null; // so many steps ago
      this.fast = null; // a burst that is under way
      this.due = 0; // steps that should have been made by now
      this.range = [1, 0]; // the ranks of units to remove, first and last
      this.drawn = 1; // the seed of the direction in which W and τ are perturbed
      this.picked = 1; // and of the units that are removed at random
      this.running = !still.matches;
      this.strip = this.root.querySelector(".live-strip");
      this.listen();
      for (let i = 0; i < SETTLE + TALLY; i++) this.advance();
      this.show();
      this.say("Both read the same bits, and every lamp says whether the number of ones among the last N is odd. "
        + "Nothing is damaged yet. (The single head errs now and then all the same: in training it was asked at the end of a "
        + "sequence only, and of easier ones.)");
      this.watch();
    }

    input(name) {
      return this.root.querySelector(`[name=${name}]`);
    }

    // What is in a field for a number, as a whole one within its limits, which it shows from then on
    number(name) {
      const input = this.input(name);
      input.value = Math.min(+input.max, Math.max(+input.min, Math.round(+input.value)));
      return +input.value;
    }

    // ------------------------------------------------------------------------------------------ time

    advance(bit = Math.random() < 0.5 ? 0 : 1) {
      this.bits = [...this.bits.slice(-4 * STEPS), bit];
      for (const panel of this.panels) panel.advance(this.bits, NOISES[this.input("noise").value]);
      if (this.flipped !== null) this.flipped++;
      if (this.isOver()) this.finish();
    }

    // So many steps fast, then go on as before. At once for readers who want no motion.
    burst(steps, rate, then) {
      if (still.matches) {
        for (let i = 0; i < steps; i++) this.advance();
        then?.();
      } else this.fast = { steps, rate, then };
      this.show();
    }

    landed() {
      const { then } = this.fast;
      this.fast = null;
      then?.();
      this.show();
    }

    tick(now) {
      const elapsed = Math.min(0.1, (now - (this.last ?? now)) / 1000);
      this.last = now;
      const rate = this.fast?.rate ?? (this.running ? SPEEDS[this.input("speed").value] : 0);
      this.due = rate && this.due + rate * elapsed;
      let moved = false;
      for (; this.due >= 1; this.due--) {
        this.advance();
        moved = true;
        if (this.fast && --this.fast.steps === 0) this.landed();
      }
      if (moved) this.draw();
      this.wait();
    }

    wait() {
      if (this.visible) this.frame = requestAnimationFrame((now) => this.tick(now));
    }

    // Runs while it can be seen; new colours when the theme changes, new sizes with the window
    watch() {
      new IntersectionObserver(([entry]) => {
        cancelAnimationFrame(this.frame);
        this.visible = entry.isIntersecting;
        this.last = undefined;
        this.wait();
      }).observe(this.root);
      new MutationObserver(() => this.draw()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
      new ResizeObserver(() => this.draw()).observe(this.root);
    }

    // ------------------------------------------------------------------------------------------ what readers do

    listen() {
      const actions = {
        play: () => this.play(!this.moves()),
        step: () => this.feed(),
        bit: ({ bit }) => this.feed(+bit),
        remove: ({ which }) => this.remove(which),
        restore: () => this.restore(),
        draw: () => (this.drawn++, this.harm()),
        shift: ({ what }) => this.shift(what),
      };
      this.root.addEventListener("click", ({ target }) => {
        const button = target.closest("button");
        if (button?.dataset.do) actions[button.dataset.do](button.dataset);
        else if (button) this.flip(this.lagOf(button));
      });
      this.root.addEventListener("input", ({ target }) => {
        if (["W", "tau", "noise", "allOne"].includes(target.name)) this.harm();
        this.show();
      });
      this.root.addEventListener("keydown", (event) => {
        if (event.ctrlKey || event.metaKey || event.altKey || event.target.type === "number") return;
        if (event.key === "0" || event.key === "1") this.feed(+event.key);
        else if (event.target.parentNode === this.strip) this.walk(event);
      });
      for (const panel of this.panels) this.brush(panel);
    }

    // In the strip, arrows move from bit to bit, and Tab leaves it
    walk(event) {
      const buttons = [...this.strip.children], at = buttons.indexOf(event.target);
      const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: BITS - 1 }[event.key];
      if (!buttons[to]) return;
      event.preventDefault();
      buttons.forEach((button, i) => (button.tabIndex = i === to ? 0 : -1));
      buttons[to].focus();
    }

    lagOf(button) {
      return BITS - 1 - [...this.strip.children].indexOf(button);
    }

    // Drag along τ to take these units away
    brush(panel) {
      const canvas = panel.find("tau"), { H } = panel.network;
      let from = null;
      const rank = (event) => {
        const { top, height } = canvas.getBoundingClientRect();
        return Math.min(H, Math.max(0, Math.round(((event.clientY - top) / height) * H)));
      };
      const chosen = (event) => [from ?? rank(event), rank(event)].sort((x, y) => x - y);
      canvas.addEventListener("pointerdown", (event) => {
        from = rank(event);
        canvas.setPointerCapture(event.pointerId);
      });
      canvas.addEventListener("pointermove", (event) => {
        if (from === null) return;
        this.selected = chosen(event);
        this.draw();
      });
      canvas.addEventListener("pointerup", (event) => {
        const [first, end] = chosen(event);
        from = this.selected = null;
        if (end > first) {
          [this.input("from").value, this.input("to").value] = [first + 1, end];
          this.remove("range");
        }
        this.draw();
      });
      canvas.addEventListener("pointercancel", () => {
        from = this.selected = null;
        this.draw();
      });
    }

    moves() {
      return this.running || Boolean(this.fast);
    }

    play(on) {
      this.running = on;
      this.fast = null;
      this.due = 0;
      this.show();
    }

    feed(bit) {
      this.play(false);
      this.advance(bit);
      this.draw();
    }

    // A second press takes it back, unless it means other units than the first
    remove(which) {
      if (which === "random") this.picked++;
      if (which === "range") this.range = [this.number("from"), this.number("to")].sort((x, y) => x - y);
      const same = this.removal === which && (which === "slowest" || which === "fastest");
      this.removal = same ? null : which;
      this.harm();
    }

    restore() {
      this.removal = null;
      for (const name of ["W", "tau", "noise"]) this.input(name).value = 0;
      this.input("allOne").checked = false;
      this.harm();
    }

    // Which units are gone, by their ranks, the same in both networks
    removed({ H, slowestFirst }) {
      const few = Math.min(FEW, H >> 1), u = uniform(this.picked), keys = range(0, H).map(u);
      const [first, last] = this.range;
      const ranks = {
        slowest: range(0, few),
        fastest: range(H - few, H),
        random: range(0, H).sort((i, j) => keys[i] - keys[j]).slice(0, few),
        range: range(first - 1, last),
      };
      return (ranks[this.removal] ?? []).map((rank) => slowestFirst[rank]);
    }

    epsilon(what) {
      return [0, ...this.data.perturbations[what].epsilon][this.input(what).value];
    }

    // Damage the networks as all controls say, and count anew
    harm() {
      const allOne = this.input("allOne").checked;
      const damage = { W: this.epsilon("W"), tau: this.epsilon("tau"), draw: this.drawn, allOne };
      for (const panel of this.panels) {
        const removed = this.removed(panel.network);
        panel.network.damage({ ...damage, removed });
        panel.reset();
        this.gone = removed.length;
      }
      this.flipped = null;
      this.say(`${this.damages()}.`);
      this.burst(SETTLE + TALLY, 80, () => this.say(`${this.damages()}. ${this.scores()}`));
    }

    damages() {
      const [W, tau] = [this.epsilon("W"), this.epsilon("tau")];
      const { gone } = this, noise = NOISES[this.input("noise").value];
      const removal = {
        slowest: `the ${gone} slowest units`,
        fastest: `the ${gone} fastest units`,
        random: `${gone} units drawn at random`,
        range: gone === 1 ? "one unit" : `${gone} units`,
      };
      const parts = [
        gone && `without ${removal[this.removal]}`,
        W && `with W perturbed by ε = ${short(W)}`,
        this.input("allOne").checked ? "with all τ = 1" : tau && `with τ perturbed by ε = ${short(tau)}`,
        noise && `with noise of ${noise} SD`,
      ];
      const text = parts.filter(Boolean).join(", ");
      return text ? text[0].toUpperCase() + text.slice(1) : "Whole again";
    }

    scores() {
      const each = this.panels.map((panel) => `${panel.name} ${panel.score(panel.heads[0])}`).join(", ");
      return `Right of the last ${TALLY} answers for N = ${this.data.N}: ${each}.`;
    }

    flip(lag) {
      if (!this.panels[0].reaches(lag)) return this.say("This bit came before the last change. Let some steps go by.");
      for (const panel of this.panels) panel.flip(lag);
      this.follow("Flipped a bit that both networks saw", "Answers with this bit in their window", lag);
    }

    shift(what) {
      const index = this.number({ bit: "lag", sum: "m" }[what]);
      for (const panel of this.panels) panel.shift({ what, index }, this.bits);
      const bit = index ? `the bit of ${ago(index)}` : "the newest bit";
      const told = {
        bit: [bit, "Answers that a delay line would get wrong"],
        sum: [`the sum of the last ${index} bits`, "Answers on the staircase of a ladder"],
      };
      this.follow(`Altered the memory of ${told[what][0]}`, told[what][1], null);
    }

    // Let time go on until the altered past no longer counts, then stop to look
    follow(what, where, lag) {
      this.flipped = lag;
      this.told = { what, where };
      if (this.isOver()) this.finish();
      else this.burst(this.data.N + 1 - (lag ?? 0), 8);
    }

    isOver() {
      return this.panels[0].twin?.step > this.data.N + 1;
    }

    finish() {
      const { what, where } = this.told;
      const each = this.panels.map(({ name, twin: { counts: { hits, expected, others } } }) =>
        `${name} ${hits} of ${expected} (and ${others} elsewhere)`);
      for (const panel of this.panels) panel.twin = null;
      this.fast = null;
      this.play(false);
      this.say(`${what}. ${where}, changed: ${each.join(", ")}. Paused.`);
    }

    // ------------------------------------------------------------------------------------------ showing

    say(text) {
      this.root.querySelector(".live-status").textContent = text;
    }

    draw() {
      const N = this.data.N;
      this.panels.forEach((panel) => panel.draw(this.selected));
      [...this.strip.children].forEach((button, at) => {
        const lag = BITS - 1 - at, bit = this.bits.at(-1 - lag), text = String(bit);
        if (button.textContent !== text) button.textContent = text;
        const is = { window: lag < N, one: bit, flipped: lag === this.flipped };
        button.className = Object.keys(is).filter((name) => is[name]).map((name) => `live-${name}`).join(" ");
        button.setAttribute("aria-label", `${bit}, ${ago(lag)}: flip`);
      });
    }

    // The state of the controls
    show() {
      const value = (name, text) => {
        const input = this.input(name);
        input.parentNode.querySelector(".live-value").textContent = text;
        input.setAttribute("aria-valuetext", text);
      };
      value("speed", `${SPEEDS[this.input("speed").value]} steps/s`);
      for (const what of ["W", "tau"]) value(what, short(this.epsilon(what)));
      value("noise", `${NOISES[this.input("noise").value]} SD`);
      this.root.querySelector("[data-do=play]").textContent = this.moves() ? "Pause" : "Run";
      for (const button of this.root.querySelectorAll("[data-which]"))
        button.setAttribute("aria-pressed", this.removal === button.dataset.which);
      this.root.querySelector(".live-published").textContent = this.published();
      this.draw();
    }

    // The published relative accuracy after such damage, where it is known
    published() {
      const { removals, perturbations } = this.data, percent = (share) => `${Math.round(100 * Math.max(0, share))} %`;
      const known = (what, found) => (found?.multi ?? null) === null ? [] :
        [`${what}, multi-head networks keep ${percent(found.multi)}, single-head ones ${percent(found.single)}`];
      const pushed = ["W", "tau"].flatMap((what) => {
        if (what === "tau" && this.input("allOne").checked) return [];
        const at = this.input(what).value - 1, { multi, single } = perturbations[what];
        return known(`with ${what === "W" ? "W" : "τ"} perturbed so much`, { multi: multi[at], single: single[at] });
      });
      const all = [...known(`without one of the ${FEW} ${this.removal} units`, removals[this.removal]), ...pushed];
      const where = `In the paper, at N = ${this.data.publishedN}, of their accuracy above chance`;
      return all.length ? `${where}: ${all.join("; ")}.` : "";
    }
  }

  const short = (x) => String(+x.toPrecision(2));
  const ago = (k) => (k ? `${k} ${k === 1 ? "step" : "steps"} ago` : "newest");

  const data = window.TSRNN_LIVE;
  // A page of several pages, as `make pdf` makes, has several of each script.
  for (const root of document.querySelectorAll(".live:not(.live-ready, .explore)")) {
    if (data?.networks) window.live.figures.push(new Figure(root, data, window.live.figures.length));
    else root.textContent = "No network runs here: `make book` found none of both kinds for the same N.";
  }
})();
