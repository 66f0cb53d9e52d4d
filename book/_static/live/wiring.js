"use strict";
// Three ways to know the parity of the last N bits, as wiring diagrams in which bits travel. Nothing here is trained:
// each machine does exactly what its equation in chapter 6 says. Every <div class="live explore" data-figure="wiring">
// becomes a figure; plain script, so that it works from file://.
(() => {
  const N = 8, STEPS = 32; // that the chart below a diagram shows
  const PACE = 900, SLIDE = 350; // milliseconds from step to step, and of a bit on its way
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);
  const parity = (bits, n) => bits.slice(-n).reduce((sum, bit) => sum ^ bit, 0);
  const ago = (k) => (k ? `${k} ${k === 1 ? "step" : "steps"} ago` : "newest");

  // Where things are in a diagram, in pixels: a column of cells, the newest below, one row for each
  const WIDTH = 270, HEIGHT = 346, PITCH = 36, INPUT = 322, MIDDLE = 152;
  const y = (row) => 26 + PITCH * (N - 1 - row);
  const wire = (d, more = "") => `<path class="wiring-wire" d="${d}" ${more}/>`;
  const arrow = (d) => wire(d, 'marker-end="url(#wiring-arrow)"');
  const word = (x, at, text, anchor = "start") => `<text x="${x}" y="${at}" text-anchor="${anchor}">${text}</text>`;
  const xor = (x, at) => `<g class="wiring-xor"><circle cx="${x}" cy="${at}" r="9"/>
    <path d="M${x - 5} ${at}h10M${x} ${at - 5}v10"/></g>`;
  const column = (x) => arrow(`M${x} ${INPUT - 12}V${y(0) + 16}`)
    + range(1, N).map((row) => arrow(`M${x} ${y(row - 1) - 13}V${y(row) + 16}`)).join("");
  const lags = range(0, N).map((k) => word(74, y(k) + 4, k === N - 1 ? `${k} steps ago` : k || "newest", "end")).join("");

  // A machine holds cells, newest first. `held` says what they should hold after these bits, by definition; `step` is
  // what the wires make of them.
  const MACHINES = {
    line: {
      name: "Delay line", kind: "single", x: 100, input: 100, lamps: [{ n: N, x: 240, y: MIDDLE }], flip: 2,
      caption: `Keeps the last ${N} bits. The answer is made of all of them, anew at every step.`,
      described: `Bits move up a column of ${N} cells. Wires from all cells meet in one sum, which is the answer.`,
      held: (bits) => bits.slice(-N).reverse(),
      step: (cells, bit) => [bit, ...cells.slice(0, -1)],
      answers: (cells) => [cells.reduce((sum, bit) => sum ^ bit, 0)],
      cell: (k) => `the bit of ${k ? ago(k) : "this step"}`,
      wires: () => column(100) + lags + xor(190, MIDDLE) + arrow(`M199 ${MIDDLE}H230`)
        + range(0, N).map((row) => wire(`M118 ${y(row)}C160 ${y(row)} 150 ${MIDDLE} 181 ${MIDDLE}`)).join(""),
    },
    sum: {
      name: "Running sum", kind: "none", x: 100, input: 100, lamps: [{ n: N, x: 228, y: 92 }], flip: N,
      sum: { x: 228, y: MIDDLE },
      caption: "Keeps the answer. Adds the bit that comes, takes away the bit that leaves; so it has to keep the bits, too.",
      described: `Bits move up a column of ${N} cells. The bit that comes and the bit that leaves at the top are added to a
        single cell, which is the answer.`,
      held: (bits) => [...bits.slice(-N).reverse(), parity(bits, N)],
      step: (cells, bit) => [bit, ...cells.slice(0, N - 1), cells[N] ^ bit ^ cells[N - 1]],
      answers: (cells) => [cells[N]],
      cell: (k) => (k === N ? "the sum" : `the bit of ${k ? ago(k) : "this step"}`),
      wires: () => column(100) + lags + xor(172, MIDDLE)
        + arrow(`M118 ${y(N - 1)}H164Q172 ${y(N - 1)} 172 ${y(N - 1) + 8}V${MIDDLE - 11}`)
        + arrow(`M113 ${INPUT}H164Q172 ${INPUT} 172 ${INPUT - 8}V${MIDDLE + 11}`)
        + arrow(`M181 ${MIDDLE}H207`) + arrow(`M228 ${MIDDLE + 14}C228 ${MIDDLE + 52} 192 ${MIDDLE + 48} 180 ${MIDDLE + 9}`)
        + arrow(`M228 ${MIDDLE - 14}V104`) + word(124, y(N - 1) - 7, "leaves") + word(124, INPUT - 7, "comes"),
    },
    ladder: {
      name: "Ladder of sums", kind: "multi", x: 126, input: 126, flip: 2,
      lamps: range(1, N + 1).map((n) => ({ n, x: 190, y: y(n - 1) })),
      caption: `Keeps ${N} sums and no old bits. Each is made of the one below, a step before, and of the bit that comes.`,
      described: `A column of ${N} cells, each the sum of so many last bits. Every sum moves up one cell at a step, and the bit
        that comes is added to all of them on the way. Each cell has an answer of its own.`,
      held: (bits) => range(1, N + 1).map((n) => parity(bits, n)),
      step: (cells, bit) => [bit, ...cells.slice(0, -1).map((sum) => sum ^ bit)],
      answers: (cells) => cells,
      cell: (k) => (k ? `the sum of the last ${k + 1} bits` : "the newest bit"),
      wires: () => arrow(`M126 ${INPUT - 12}V${y(0) + 16}`) + wire(`M113 ${INPUT}H48Q40 ${INPUT} 40 ${INPUT - 8}V${y(N - 1)}`)
        + range(1, N).map((row) => arrow(`M40 ${y(row)}H65`) + xor(76, y(row)) + arrow(`M85 ${y(row)}H106`)
          + arrow(`M112 ${y(row - 1) - 13}L85 ${y(row) + 9}`)).join("")
        + range(0, N).map((row) => wire(`M144 ${y(row)}H182`)).join(""),
    },
  };

  // ---------------------------------------------------------------------------------------------- one machine

  class Machine {
    constructor(about, element, bits) {
      Object.assign(this, about, { element, log: [], before: null, count: null });
      this.find = (part) => element.querySelector(`.wiring-${part}`);
      this.buttons = [...element.querySelectorAll("button")];
      this.marks = [...element.querySelectorAll(".wiring-lamp")];
      this.inputs = element.querySelector(".wiring-input");
      this.cells = this.held(bits);
      this.record(bits);
    }

    advance(bits) {
      this.cells = this.step(this.cells, bits.at(-1));
      this.record(bits);
    }

    // What is held now, and what of it is wrong; `again` if cells were altered and no step made. `count` is of the wrong
    // answers since the first of the mistakes that are about, `before` the same without the present answer.
    record(bits, again = false) {
      const right = this.held(bits), answers = this.answers(this.cells), due = this.answers(right);
      const wrong = this.cells.map((value, k) => value !== right[k]);
      if (again) this.log.pop();
      else this.before = this.count;
      this.log = [...this.log.slice(1 - STEPS), { cells: this.cells, wrong, answers, missed: answers.map((a, k) => a !== due[k]) }];
      this.bit = bits.at(-1);
      this.count = this.before === null ? null : this.before + this.missed();
    }

    // Whether the answer for N is wrong, and whether anything that is held is
    missed() {
      return this.log.at(-1).missed.at(-1);
    }

    isWrong() {
      return this.log.at(-1).wrong.some(Boolean);
    }

    flipCell(k, bits) {
      this.cells = this.cells.map((value, at) => (at === k ? 1 - value : value));
      if (!this.isWrong()) this.before = 0;
      this.record(bits, true);
    }

    repair(bits) {
      this.cells = this.held(bits);
      this.before = null;
      this.record(bits, true);
    }

    // ---------------------------------------------------------------------------------------- drawing

    draw(moved = false) {
      const { cells, wrong, answers, missed } = this.log.at(-1);
      this.buttons.forEach((button, k) => {
        const token = button.firstChild, value = cells[k];
        token.textContent = value;
        token.className = `wiring-token wiring-${value ? "one" : "zero"}${wrong[k] ? " wiring-flipped" : ""}`;
        button.setAttribute("aria-label", `${this.cell(k)}: ${value}${wrong[k] ? ", wrong" : ""}; flip`);
        if (moved && !still.matches && k < N) {
          const below = k ? PITCH : INPUT - y(0);
          token.animate([{ transform: `translateY(${below}px)` }, { transform: "none" }], { duration: SLIDE, easing: "ease-in-out" });
        }
      });
      this.marks.forEach((lamp, at) => {
        lamp.classList.toggle("live-odd", answers[at] === 1);
        lamp.classList.toggle("live-wrong", missed[at]);
      });
      this.inputs.textContent = this.bit;
      this.element.classList.toggle("wiring-adds", this.bit === 1);
      this.find("answer").textContent = `Answer for N = ${N}: ${answers.at(-1) ? "odd" : "even"}, ${missed.at(-1) ? "wrong" : "right"}.`;
      this.find("count").textContent = this.summary();
      this.drawLog();
    }

    summary() {
      if (!this.count && !this.isWrong()) return "All answers right.";
      const wrong = `${this.count} wrong for N = ${N}`;
      return this.isWrong() ? `${wrong} so far.` : `${wrong}, then right again.`;
    }

    // Rows of cells over time, and the answer for N below
    drawLog() {
      const marks = this.find("log").querySelectorAll("rect");
      range(0, STEPS).forEach((t) => {
        const entry = this.log[t - STEPS + this.log.length];
        const mark = (at, value, className) =>
          marks[at * STEPS + t].setAttribute("class", entry ? className(value) : "wiring-blank");
        range(0, N).forEach((k) =>
          mark(k, entry?.cells[k], (value) => (entry.wrong[k] ? "wiring-held-wrong" : value ? "wiring-one" : "wiring-zero")));
        mark(N, entry?.answers.at(-1), (value) => (entry.missed.at(-1) ? "wiring-wrong" : value ? "wiring-one" : "wiring-zero"));
      });
    }
  }

  // ---------------------------------------------------------------------------------------------- the figure

  function logHtml(described) {
    const left = 46, w = (WIDTH - left) / STEPS, h = 8;
    const rows = range(0, N + 1).map((row) => range(0, STEPS).map((t) => {
      const [top, high] = row < N ? [(N - 1 - row) * h, h - 1] : [N * h + 6, 15];
      return `<rect x="${(left + t * w).toFixed(1)}" y="${top}" width="${(w - 1).toFixed(1)}" height="${high}"/>`;
    }).join("")).join("");
    const bottom = N * h + 6;
    return `<svg class="wiring-log" viewBox="0 0 ${WIDTH} ${bottom + 30}" role="img" aria-label="${described}">${rows}
      ${word(40, N * h / 2 + 3, "held", "end")}${word(40, bottom + 11, "answer", "end")}
      ${word(left, bottom + 27, `${STEPS - 1} steps ago`)}${word(WIDTH, bottom + 27, "now", "end")}</svg>`;
  }

  function machineHtml(about, id) {
    const cells = about.held(Array(N).fill(0)).length;
    const place = (k) => (k < N ? { x: about.x, y: y(k) } : about.sum);
    const at = ({ x, y }) => `style="left: ${x}px; top: ${y}px"`;
    const buttons = range(0, cells).map((k) =>
      `<button ${at(place(k))} tabindex="${k === about.flip ? 0 : -1}"><span></span></button>`).join("");
    const lamps = about.lamps.map((lamp) => `<span class="wiring-lamp live-lamp" aria-hidden="true" ${at(lamp)}></span>
      <span class="wiring-n" aria-hidden="true" ${at(about.lamps.length > 1 ? { x: lamp.x + 12, y: lamp.y } : { x: lamp.x - 22, y: lamp.y - 20 })}>
      ${lamp.n === N ? `<b>N = ${N}</b>` : `N = ${lamp.n}`}</span>`).join("");
    return `<div class="wiring-machine" data-kind="${about.kind}" role="group" aria-labelledby="${id}">
      <p class="live-title"><b id="${id}">${about.name}</b></p>
      <p class="wiring-caption">${about.caption}</p>
      <div class="wiring-stage" role="toolbar" aria-label="Cells of the ${about.name.toLowerCase()}, newest first. Press one to flip it.">
        <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${about.described.replace(/\s+/g, " ")}">
          <defs><marker id="${id}-arrow" viewBox="0 0 6 6" refX="5" refY="3" markerWidth="6" markerHeight="6" orient="auto">
            <path d="M0 0L6 3L0 6Z"/></marker></defs>${about.wires().replaceAll("#wiring-arrow", `#${id}-arrow`)}</svg>
        <span class="wiring-input" aria-hidden="true" ${at({ x: about.input, y: INPUT })}></span>${buttons}${lamps}</div>
      ${logHtml(`What the ${about.name.toLowerCase()} held over the last ${STEPS} steps, and its answers. Mistakes are marked.`)}
      <p class="wiring-summary"><span class="wiring-answer unseen"></span><span class="wiring-count"></span></p></div>`;
  }

  function figureHtml(id) {
    const button = (what, text, more = "") => `<button data-do="${what}" ${more}>${text}</button>`;
    const legend = { odd: "1, odd", even: "0, even", changed: "held, but wrong", wrong: "answer wrong" };
    return `<div class="live-bar">
        ${button("flip", "Flip a cell in each", 'class="live-main"')} ${button("repair", "Put all right")}
        <div class="live-time">${button("play", "Pause")} ${button("step", "Step")}
          <span class="live-pair" role="group" aria-label="Next bit"><span>next bit</span>
            ${[0, 1].map((bit) => button("bit", bit, `data-bit="${bit}" aria-label="Feed a ${bit}"`)).join("")}</span></div></div>
      <div class="wiring-tabs" role="group" aria-label="Which diagram is shown">
        ${Object.entries(MACHINES).map(([key, { name }]) => button("show", name, `data-key="${key}"`)).join("")}</div>
      <div class="wiring-machines">${Object.entries(MACHINES).map(([key, about]) => machineHtml(about, `${id}-${key}`)).join("")}</div>
      <ul class="live-legend" aria-label="Colours">
        ${Object.entries(legend).map(([key, text]) => `<li class="live-k-${key}">${text}</li>`).join("")}</ul>
      <p class="live-status wiring-status" role="status"></p>`;
  }

  class Figure {
    constructor(root, index) {
      this.root = root;
      root.classList.add("live-ready");
      root.innerHTML = figureHtml(`wiring-${index}`);
      this.bits = range(0, 2 * N).map(() => this.draw());
      const elements = root.querySelectorAll(".wiring-machine");
      this.machines = Object.fromEntries(Object.entries(MACHINES).map(([key, about], at) =>
        [key, new Machine(about, elements[at], this.bits)]));
      for (const _ of range(0, STEPS)) this.advance();
      this.running = !still.matches;
      this.listen();
      this.choose("line");
      this.say("Press any cell to flip what it holds, and follow the mistake.");
      this.show();
      new IntersectionObserver(([entry]) => {
        this.visible = entry.isIntersecting;
        this.wait();
      }).observe(root);
      document.addEventListener("visibilitychange", () => this.wait());
    }

    draw() {
      return Math.random() < 0.5 ? 0 : 1;
    }

    every(what) {
      Object.values(this.machines).forEach(what);
    }

    // ------------------------------------------------------------------------------------------ time

    advance(bit = this.draw()) {
      this.bits = [...this.bits.slice(-4 * N), bit];
      this.every((machine) => machine.advance(this.bits));
      if (this.left && --this.left === 0) this.conclude();
    }

    // After so many steps all has happened that can
    follow(text) {
      this.left = N;
      this.say(text);
      this.show();
    }

    conclude() {
      const altered = Object.values(this.machines).filter(({ before }) => before !== null);
      this.say(altered.map((machine) => `${machine.name}: ${machine.summary()}`).join(" "));
    }

    // One step that can be seen
    move(bit) {
      this.advance(bit);
      this.every((machine) => machine.draw(true));
    }

    wait() {
      clearTimeout(this.timer);
      if (!this.running || !this.visible || document.hidden) return;
      this.timer = setTimeout(() => {
        this.move();
        this.wait();
      }, PACE);
    }

    play(on) {
      this.running = on;
      this.show();
      this.wait();
    }

    // ------------------------------------------------------------------------------------------ what readers do

    listen() {
      const actions = {
        play: () => this.play(!this.running),
        step: () => this.feed(),
        bit: ({ bit }) => this.feed(+bit),
        show: ({ key }) => this.choose(key),
        repair: () => this.repair(),
        flip: () => this.flipEach(),
      };
      this.root.addEventListener("click", ({ target }) => {
        const button = target.closest("button");
        if (button?.dataset.do) actions[button.dataset.do](button.dataset);
        else if (button) this.flip(button);
      });
      this.root.addEventListener("keydown", (event) => {
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        if (event.key === "0" || event.key === "1") this.feed(+event.key);
        else if (event.target.closest(".wiring-stage")) this.walk(event);
      });
    }

    // Arrows move from cell to cell, the newest below; Tab leaves the column
    walk(event) {
      const buttons = this.machineOf(event.target).buttons, at = buttons.indexOf(event.target);
      const to = { ArrowUp: at + 1, ArrowRight: at + 1, ArrowDown: at - 1, ArrowLeft: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
      if (!buttons[to]) return;
      event.preventDefault();
      buttons.forEach((button, i) => (button.tabIndex = i === to ? 0 : -1));
      buttons[to].focus();
    }

    machineOf(button) {
      return Object.values(this.machines).find(({ element }) => element.contains(button));
    }

    feed(bit) {
      this.play(false);
      this.move(bit);
    }

    flip(button) {
      const machine = this.machineOf(button), k = machine.buttons.indexOf(button);
      machine.flipCell(k, this.bits);
      this.follow(`${machine.name}: flipped ${machine.cell(k)}.`);
    }

    flipEach() {
      this.every((machine) => machine.flipCell(machine.flip, this.bits));
      this.follow(`Flipped ${Object.values(this.machines).map((m) => `${m.cell(m.flip)} in the ${m.name.toLowerCase()}`).join(", ")}.`);
    }

    repair() {
      this.left = 0;
      this.every((machine) => machine.repair(this.bits));
      this.say("All cells hold what they should.");
      this.show();
    }

    // On a phone there is room for one diagram
    choose(key) {
      for (const button of this.root.querySelectorAll("[data-key]"))
        button.setAttribute("aria-pressed", button.dataset.key === key);
      for (const [name, { element }] of Object.entries(this.machines)) element.classList.toggle("wiring-chosen", name === key);
    }

    say(text) {
      this.root.querySelector(".wiring-status").textContent = text;
    }

    show() {
      this.root.querySelector("[data-do=play]").textContent = this.running ? "Pause" : "Run";
      this.every((machine) => machine.draw());
    }
  }

  window.explore ??= { figures: [] };
  Object.assign(window.explore, { MACHINES, parity });
  for (const root of document.querySelectorAll('.explore[data-figure="wiring"]:not(.live-ready)'))
    window.explore.figures.push(new Figure(root, window.explore.figures.length));
})();
