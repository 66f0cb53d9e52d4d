"use strict";
// The live network: two trained networks that run in the page, on the same bits, for the reader to damage.
//
// `networks.js`, which `make book` writes (tsrnn/book/live.py), sets TSRNN_LIVE; `model.js` makes networks of it; here
// every <div class="live"> becomes a figure: a panel for each network, and the controls around both.
(() => {
  const { Network, parity, valueOf, uniform, normal, range, floats } = window.live;

  // ------------------------------------------------------------------------------------------------ one panel

  const STEPS = 48; // that a panel shows
  const BITS = 24; // that can be flipped
  const TALLY = 100; // answers that are counted
  const SETTLE = 30; // steps after a change that are not, since they are in part about the time before

  class Panel {
    constructor(network, element) {
      Object.assign(this, { network, element, log: [], twin: null });
      this.heads = range(0, network.ns.length).reverse(); // the largest N on top
      this.N = Math.max(...network.ns);
      this.find = (part) => element.querySelector(`.live-${part}`);
      const row = (head) => `<li><span class="live-lamp" aria-hidden="true"></span><span class="live-count" aria-hidden="true">
        </span><span class="live-hidden">N = ${network.ns[head]}</span></li>`;
      this.find("ns").innerHTML = this.heads.map((head) => `<span>${network.ns[head]}</span>`).join("");
      this.find("lamps").innerHTML = this.heads.map(row).join("");
      this.lamps = [...this.find("lamps").children];
      this.r = network.initial();
      this.measure();
      this.reset();
    }

    // Each unit's largest activity, for the colours, and the units' mean standard deviation, for the noise
    measure() {
      const { network } = this, { H } = network;
      const states = network.sample(300).states.slice(50);
      const most = Float32Array.from(this.r, (_, i) => Math.max(...states.map((r) => r[i])));
      const floor = 0.1 * [...most].sort((x, y) => x - y)[Math.floor(0.95 * H)]; // or silent units would flicker
      this.scale = most.map((x) => Math.max(x, floor));
      const sd = (i) => {
        const mean = states.reduce((sum, r) => sum + r[i], 0) / states.length;
        return Math.sqrt(states.reduce((sum, r) => sum + (r[i] - mean) ** 2, 0) / states.length);
      };
      this.sd = range(0, H).reduce((sum, i) => sum + sd(i) / H, 0);
    }

    // Count anew, from SETTLE steps on
    reset() {
      this.wait = SETTLE;
      this.tallies = this.network.ns.map(() => []);
      this.forget();
    }

    forget() {
      this.twin = null;
      for (const entry of this.log) entry.changed = entry.altered = null;
    }

    advance(bits, sigma) {
      const { network } = this, bit = bits.at(-1);
      const noise = sigma ? this.r.map(() => sigma * this.sd * normal(Math.random)) : null;
      this.r = network.step(this.r, bit, noise);
      const odd = network.answers(this.r);
      const right = network.ns.map((n, head) => odd[head] === (parity(bits, n) === 1));
      const entry = { bit, noise, r: this.r, odd, right };
      if (this.twin) {
        this.twin.r = network.step(this.twin.r, bit, noise);
        this.compare(entry);
      }
      this.log.push(entry);
      if (this.log.length > STEPS) this.log.shift();
      if (this.wait) this.wait--;
      else
        this.tallies.forEach((tally, head) => {
          tally.push(right[head]);
          if (tally.length > TALLY) tally.shift();
        });
    }

    // The twin is the same network with another past. Which of its answers are others?
    compare(entry) {
      const { twin, network } = this, odd = network.answers(twin.r);
      entry.changed = odd.map((answer, head) => answer !== entry.odd[head]);
      network.ns.forEach((n, head) => {
        const expected = twin.expected(n, twin.step);
        twin.counts.expected += expected;
        twin.counts.hits += expected && entry.changed[head];
        twin.counts.others += !expected && entry.changed[head];
      });
      twin.step++;
    }

    start(r, expected) {
      this.twin = { r, expected, step: 0, counts: { expected: 0, hits: 0, others: 0 } };
    }

    // Let the bit of so many steps ago have been the other one. Its window is where an answer should change.
    flip(lag) {
      this.forget();
      const at = this.log.length - 1 - lag;
      this.start(this.log[at - 1].r, (n, step) => step < n);
      this.log[at].altered = true;
      for (const entry of this.log.slice(at)) {
        const bit = entry.altered ? 1 - entry.bit : entry.bit;
        this.twin.r = this.network.step(this.twin.r, bit, entry.noise);
        this.compare(entry);
      }
    }

    // Move the state as if one thing about the past had been otherwise; the bits stay as they were. A ladder of sums
    // carries a sum up by one N a step; a delay line minds a bit for as long as it counts.
    shift(thing, bits) {
      this.forget();
      const d = this.network.direction(thing), sign = valueOf(thing, bits) ? -1 : 1, entry = this.log.at(-1);
      const expected = {
        sum: (n, step) => n - thing.index === step,
        bit: (n, step) => step > 0 && step <= n - 1 - thing.index,
      };
      this.start(this.r.map((x, i) => x + sign * d[i] * this.network.alive[i]), expected[thing.what]);
      entry.altered = true;
      this.compare(entry);
    }

    score(head) {
      return this.tallies[head].filter(Boolean).length;
    }

    // -------------------------------------------------------------------------------------------- drawing

    draw(selected) {
      const style = getComputedStyle(this.element), names = ["paper", "ink", "accent", "bright", "gone", "changed", "odd", "even"];
      const colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--live-${name}`).trim()]));
      this.drawMap(...["paper", "accent", "bright", "gone"].map((name) => rgb(colours[name])));
      this.drawAnswers(colours);
      this.drawTau(colours, selected);
      this.drawLamps();
    }

    // Units by time, two units a row of pixels
    drawMap(paper, accent, bright, gone) {
      const { network, scale } = this, { H, slowestFirst, alive } = network, canvas = this.find("map");
      const rows = Math.ceil(H / 2);
      if (canvas.height !== rows) [canvas.width, canvas.height] = [STEPS, rows];
      const context = canvas.getContext("2d"), image = context.createImageData(STEPS, rows);
      for (let y = 0; y < rows; y++) {
        const units = slowestFirst.slice(2 * y, 2 * y + 2).filter((i) => alive[i]);
        this.log.forEach(({ r, altered }, t) => {
          const x = t + STEPS - this.log.length, at = 4 * (y * STEPS + x);
          const level = units.reduce((sum, i) => sum + Math.min(1, Math.max(0, r[i] / scale[i])), 0) / units.length;
          for (let k = 0; k < 3; k++) {
            const full = level < 0.6 ? mix(paper[k], accent[k], level / 0.6) : mix(accent[k], bright[k], (level - 0.6) / 0.4);
            image.data[at + k] = units.length ? full : gone[k];
          }
          image.data[at + 3] = altered ? 130 : 255;
        });
      }
      context.putImageData(image, 0, 0);
    }

    // Heads by time: dark for odd, pale for even, a black (in the dark: white) block for a wrong answer
    drawAnswers(colours) {
      const canvas = this.find("answers"), { context, width, height } = fitted(canvas);
      const w = width / STEPS, h = height / this.heads.length, gap = Math.min(1, w / 6);
      context.clearRect(0, 0, width, height);
      this.log.forEach((entry, t) => {
        const x = (t + STEPS - this.log.length) * w;
        this.heads.forEach((head, row) => {
          const changed = entry.changed?.[head], wrong = !entry.right[head];
          context.globalAlpha = changed || wrong ? 1 : +colours[entry.odd[head] ? "odd" : "even"];
          context.fillStyle = colours[changed ? "changed" : wrong ? "ink" : "accent"];
          context.fillRect(x, row * h + gap, w - gap, h - 2 * gap);
        });
        context.globalAlpha = 1;
        if (entry.altered) {
          context.fillStyle = colours.ink;
          context.fillRect(x - gap, 0, 1, height);
        }
      });
    }

    // τ of each unit beside the map, from 1 on
    drawTau(colours, selected) {
      const canvas = this.find("tau"), { context, width, height } = fitted(canvas);
      const { network, tauMax } = this, { H, slowestFirst, tau, alive } = network;
      context.clearRect(0, 0, width, height);
      slowestFirst.forEach((i, rank) => {
        context.fillStyle = colours[alive[i] ? "accent" : "gone"];
        context.fillRect(0, (rank * height) / H, 2 + ((tau[i] - 1) / (tauMax - 1)) * (width - 4), height / H + 0.5);
      });
      if (selected) {
        context.fillStyle = colours.ink;
        context.globalAlpha = 0.3;
        context.fillRect(0, (selected[0] * height) / H, width, Math.max(2, ((selected[1] - selected[0]) * height) / H));
        context.globalAlpha = 1;
      }
    }

    drawLamps() {
      const { odd, right } = this.log.at(-1), counted = this.tallies[0].length, most = this.heads[0];
      this.heads.forEach((head, row) => {
        const [lamp, count, words] = this.lamps[row].children;
        lamp.className = `live-lamp${odd[head] ? " live-odd" : ""}${right[head] ? "" : " live-wrong"}`;
        count.textContent = counted ? this.score(head) : "–";
        count.style.setProperty("--share", counted ? this.score(head) / counted : 0);
        words.textContent = `N = ${this.network.ns[head]}: answers ${odd[head] ? "odd" : "even"}, ${right[head] ? "right" : "wrong"};
          ${this.score(head)} of the last ${counted} right`;
      });
      this.find("right").textContent = counted ? this.score(most) : "–";
      this.find("of").textContent = counted ? `of the last ${counted} right` : "settling …";
    }
  }

  const mix = (from, to, share) => from + (to - from) * share;
  const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

  // A canvas with as many pixels as the screen has there
  function fitted(canvas) {
    const { clientWidth: width, clientHeight: height } = canvas, ratio = window.devicePixelRatio || 1;
    const size = [Math.round(width * ratio), Math.round(height * ratio)], context = canvas.getContext("2d");
    if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    return { context, width, height };
  }

  // ------------------------------------------------------------------------------------------------ the figure

  const SPEEDS = [1, 2, 4, 8, 15, 30, 60]; // steps a second
  const NOISES = [0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]; // of the units' mean standard deviation
  const FEW = 20; // units, as many as the paper removes one by one
  const NAMES = { multi: "Multi-head", single: "Single-head" };
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");

  function panelHtml(kind, stored, id) {
    const { ns } = stored, N = Math.max(...ns), heads = ns.length > 1 ? `${ns.length} heads, N = ${Math.min(...ns)} to ${N}` : `1 head, N = ${N}`;
    return `<div class="live-panel" data-kind="${kind}" role="group" aria-labelledby="${id}-${kind}">
      <div class="live-title"><p id="${id}-${kind}"><b>${NAMES[kind]}</b><span>${heads}</span></p>
        <p class="live-score"><b class="live-right"></b><span class="live-of"></span></p></div>
      <div class="live-body">
        <div class="live-side" aria-hidden="true"><span>slow</span><span>fast</span></div>
        <canvas class="live-map" role="img" aria-label="Activity of the ${NAMES[kind].toLowerCase()} network's units over the last ${STEPS} steps, slowest unit on top."></canvas>
        <canvas class="live-tau" role="img" aria-label="The time constant of each unit, slowest on top."></canvas>
        <div class="live-ns" aria-hidden="true"></div>
        <canvas class="live-answers" role="img" style="--rows: ${ns.length}" aria-label="Answers of every head over the last ${STEPS} steps, largest N on top; the list that follows says them for the last step."></canvas>
        <ol class="live-lamps" aria-label="Heads, largest N first"></ol>
        ${ns.length > 1 ? "" : `<p class="live-note">Its only head was moved up, from one N to the next, and now serves N = ${N}. There is no other to ask.</p>`}
      </div></div>`;
  }

  const slider = (name, label, last, value = 0) => `<label class="live-slider"><span>${label} <output></output></span>
    <input type="range" name="${name}" min="0" max="${last}" value="${value}"></label>`;

  function figureHtml(data, id) {
    const { N, networks, perturbations } = data, last = perturbations.W.epsilon.length;
    const [H] = Object.values(networks).map(({ tau }) => floats(tau).length);
    const number = (name, label, min, max, value) =>
      `<input type="number" name="${name}" aria-label="${label}" min="${min}" max="${max}" value="${value}" inputmode="numeric">`;
    return `
      <div class="live-bar">
        <button data-do="remove" data-which="slowest" class="live-main" aria-pressed="false">Remove the ${FEW} slowest units</button>
        <button data-do="restore">Restore</button>
        <div class="live-time">
          <button data-do="play">Pause</button>
          <button data-do="step" class="live-more">Step</button>
          <label class="live-speed live-more"><span class="live-hidden">Speed</span><input type="range" name="speed" min="0" max="${SPEEDS.length - 1}" value="2"><output></output></label>
          <span class="live-pair" role="group" aria-label="Next bit"><span>next bit</span><button data-do="bit" data-bit="0" aria-label="Feed a 0">0</button><button data-do="bit" data-bit="1" aria-label="Feed a 1">1</button></span>
        </div>
      </div>
      <div class="live-strip" role="toolbar" aria-label="The last ${BITS} bits, newest last. Press one to let it have been the other."></div>
      <p class="live-small live-under"><span>Shaded: the last ${N} bits. Press a bit to flip it.</span><span>now</span></p>
      <div class="live-panels">${Object.entries(networks).map(([kind, stored]) => panelHtml(kind, stored, id)).join("")}
      <div class="live-words"><ul class="live-legend" aria-label="Colours"><li class="live-k-odd">odd</li><li class="live-k-even">even</li><li class="live-k-wrong">wrong</li><li class="live-k-changed">changed</li><li class="live-k-gone">removed</li></ul>
      <p class="live-status" role="status"></p></div></div>
      <div class="live-hands live-more">
        <fieldset><legend>Take units away</legend>
          <p><button data-do="remove" data-which="fastest" aria-pressed="false">the ${FEW} fastest</button> <button data-do="remove" data-which="random" aria-pressed="false">${FEW} at random</button></p>
          <p>or units ${number("from", "first unit, counted from the slowest", 1, H, 1)} to ${number("to", "last unit, counted from the slowest", 1, H, FEW)} <button data-do="remove" data-which="range" aria-pressed="false">Remove</button></p>
          <p class="live-small">counted from the slowest; or drag along the strip of τ beside a map.</p></fieldset>
        <fieldset><legend>Alter what is remembered</legend>
          <p><button data-do="shift" data-what="bit">the bit</button> of ${number("lag", "steps ago", 0, BITS - 1, 0)} steps ago</p>
          <p><button data-do="shift" data-what="sum">the sum</button> of the last ${number("m", "bits in the sum", 2, N, 5)} bits</p>
          <p class="live-small">The bits stay as they were. Only the state is moved, as if this one thing had been otherwise. To flip the bit itself, press it above.</p></fieldset>
        <fieldset><legend>Disturb what is learnt</legend>
          ${slider("W", "weights W, ε =", last)}${slider("tau", "time constants τ, ε =", last)}${slider("noise", "noise in the activity", NOISES.length - 1)}
          <p><label class="live-tick"><input type="checkbox" name="allOne"> all τ = 1</label> <button data-do="draw">Another draw</button></p>
          <p class="live-small live-published"></p></fieldset>
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
      for (const panel of this.panels) Object.assign(panel, { tauMax });
      this.bits = [];
      this.removal = null;
      this.drawn = 1;
      this.running = !still.matches;
      this.strip = this.root.querySelector(".live-strip");
      this.strip.innerHTML = range(0, BITS).map(() => `<button tabindex="-1"></button>`).join("");
      this.strip.lastChild.tabIndex = 0;
      this.listen();
      for (let i = 0; i < SETTLE + TALLY; i++) this.advance();
      this.show();
      this.say("Both read the same bits, and every lamp says whether the number of ones among the last N is odd. Nothing is damaged yet.");
      this.watch();
    }

    input(name) {
      return this.root.querySelector(`[name=${name}]`);
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

    tick(now) {
      const elapsed = Math.min(0.1, (now - (this.last ?? now)) / 1000);
      this.last = now;
      const rate = this.fast?.rate ?? (this.running ? SPEEDS[this.input("speed").value] : 0);
      this.due = rate ? (this.due ?? 0) + rate * elapsed : 0;
      let moved = false;
      for (; this.due >= 1; this.due--) {
        this.advance();
        moved = true;
        if (this.fast && --this.fast.steps === 0) {
          const { then } = this.fast;
          this.fast = null;
          then?.();
          this.show();
        }
      }
      if (moved) this.draw();
      if (this.visible) requestAnimationFrame((t) => this.tick(t));
    }

    // Runs while it can be seen; new colours when the theme changes, new sizes with the window
    watch() {
      new IntersectionObserver(([entry]) => {
        const before = this.visible;
        this.visible = entry.isIntersecting;
        this.last = undefined;
        if (this.visible && !before) requestAnimationFrame((t) => this.tick(t));
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
      event.target.tabIndex = -1;
      buttons[to].tabIndex = 0;
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
      const chosen = (event) => [from, rank(event)].sort((x, y) => x - y);
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
          this.remove("range", true);
        }
      });
      canvas.addEventListener("pointercancel", () => (from = this.selected = null));
    }

    moves() {
      return this.running || Boolean(this.fast);
    }

    play(on) {
      this.running = on;
      this.fast = null;
      this.show();
    }

    feed(bit) {
      this.play(false);
      this.advance(bit);
      this.draw();
    }

    // A second press takes the removal back
    remove(which, again = false) {
      if (which === "random") this.drawn++;
      else if (this.removal === which && !again) which = null;
      this.removal = which;
      this.harm();
    }

    restore() {
      this.removal = null;
      for (const name of ["W", "tau", "noise"]) this.input(name).value = 0;
      this.input("allOne").checked = false;
      this.harm();
    }

    // Which units are gone: by their rank, or as many at random in each network
    removed({ H, slowestFirst }) {
      const few = Math.min(FEW, H >> 1), u = uniform(this.drawn);
      const ranks = {
        slowest: () => range(0, few),
        fastest: () => range(H - few, H),
        range: () => {
          const [first, last] = [+this.input("from").value, +this.input("to").value].sort((x, y) => x - y);
          return range(Math.max(0, first - 1), Math.min(H, last));
        },
        random: () => [...range(0, H)].map((rank) => [u(), rank]).sort(([x], [y]) => x - y).slice(0, few).map(([, rank]) => rank),
      };
      return (ranks[this.removal]?.() ?? []).map((rank) => slowestFirst[rank]);
    }

    epsilon(what) {
      return [0, ...this.data.perturbations[what].epsilon][this.input(what).value];
    }

    // Damage the networks as all controls say, and count anew
    harm() {
      for (const panel of this.panels) {
        const { network } = panel, units = this.removed(network);
        network.damage({
          removed: units, W: this.epsilon("W"), tau: this.epsilon("tau"), draw: this.drawn, allOne: this.input("allOne").checked,
        });
        panel.reset();
        this.gone = units.length;
      }
      this.flipped = null;
      this.burst(SETTLE + TALLY, 80, () => this.say(`${this.damages()}: ${this.scores()}.`));
    }

    damages() {
      const { gone } = this, noise = NOISES[this.input("noise").value], units = `${gone} ${gone === 1 ? "unit" : "units"}`;
      const parts = [
        gone && ({ slowest: `without the ${gone} slowest units`, fastest: `without the ${gone} fastest units`, random: `without ${units} drawn at random` }[this.removal]
          ?? `without ${units} (${this.input("from").value} to ${this.input("to").value} from the slowest)`),
        this.epsilon("W") && `W perturbed by ε = ${short(this.epsilon("W"))}`,
        this.input("allOne").checked ? "all τ = 1" : this.epsilon("tau") && `τ perturbed by ε = ${short(this.epsilon("tau"))}`,
        noise && `noise of ${noise} SD`,
      ].filter(Boolean).join(", ");
      return parts ? parts[0].toUpperCase() + parts.slice(1) : "Whole again";
    }

    scores() {
      const each = this.panels.map((panel) => `${panel.element.querySelector("b").textContent.toLowerCase()} ${panel.score(panel.heads[0])}`);
      return `right of the last ${this.panels[0].tallies[0].length} answers for N = ${this.data.N}: ${each.join(", ")}`;
    }

    flip(lag) {
      for (const panel of this.panels) panel.flip(lag);
      this.follow("Flipped a bit that both networks saw", "Answers with this bit in their window", lag);
    }

    shift(what) {
      const index = Math.max(what === "sum" ? 2 : 0, Math.min(this.data.N, +this.input(what === "sum" ? "m" : "lag").value));
      for (const panel of this.panels) panel.shift({ what, index }, this.bits);
      if (what === "sum") this.follow(`Altered the memory of the sum of the last ${index} bits`, "Answers on the staircase of a ladder", null);
      else this.follow(`Altered the memory of the bit of ${index} steps ago`, "Answers that a delay line would get wrong", null);
    }

    // Let time go on until the altered past no longer counts, then stop to look
    follow(what, expected, lag) {
      this.flipped = lag;
      this.told = { what, expected };
      if (this.isOver()) this.finish();
      else this.burst(this.data.N + 1 - (lag ?? 0), 8);
    }

    isOver() {
      return this.panels[0].twin?.step > this.data.N + 1;
    }

    finish() {
      const { what, expected } = this.told;
      const each = this.panels.map(({ element, twin: { counts } }) =>
        `${element.querySelector("b").textContent.toLowerCase()} ${counts.hits} of ${counts.expected} (and ${counts.others} elsewhere)`);
      for (const panel of this.panels) panel.twin = null;
      this.fast = null;
      this.play(false);
      this.say(`${what}. ${expected}, changed: ${each.join(", ")}. Paused.`);
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
        button.className = `${lag < N ? "live-window" : ""}${bit ? " live-one" : ""}${lag === this.flipped ? " live-flipped" : ""}`;
        button.setAttribute("aria-label", `${bit}, ${lag} steps ago: flip`);
      });
    }

    // The state of the controls
    show() {
      const output = (name, text) => {
        const input = this.input(name);
        input.parentNode.querySelector("output").textContent = text;
        input.setAttribute("aria-valuetext", text);
      };
      output("speed", `${SPEEDS[this.input("speed").value]} steps/s`);
      for (const what of ["W", "tau"]) output(what, short(this.epsilon(what)));
      output("noise", `${NOISES[this.input("noise").value]} SD`);
      this.root.querySelector("[data-do=play]").textContent = this.moves() ? "Pause" : "Run";
      for (const button of this.root.querySelectorAll("[data-which]")) button.setAttribute("aria-pressed", this.removal === button.dataset.which);
      this.root.querySelector(".live-published").textContent = this.published();
      this.draw();
    }

    // The published relative accuracy at the chosen ε, where it is known
    published() {
      const found = ["W", "tau"].flatMap((what) => {
        const at = this.input(what).value - 1, { multi, single } = this.data.perturbations[what];
        const percent = (share) => `${Math.round(100 * Math.max(0, share))} %`;
        return (multi[at] ?? null) === null ? [] : [`${what === "W" ? "W" : "τ"}: multi-head ${percent(multi[at])}, single-head ${percent(single[at])}`];
      });
      return found.length ? `Published, N = 30, kept of the accuracy above chance: ${found.join("; ")}.` : "";
    }
  }

  const short = (x) => String(+x.toPrecision(2));

  // ------------------------------------------------------------------------------------------------ start

  const data = window.TSRNN_LIVE;
  // A page of several pages, as `make pdf` makes, has several of each script.
  for (const root of document.querySelectorAll(".live:not(.live-ready)")) {
    if (Object.keys(data.networks).length) window.live.figures.push(new Figure(root, data, window.live.figures.length));
    else root.textContent = "No network runs here: this book was built from a zoo that holds none of both kinds for one N.";
  }
})();
