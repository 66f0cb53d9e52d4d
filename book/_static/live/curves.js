"use strict";
// Two figures that a reader moves: ε against relative accuracy (data-figure="epsilon"), and N through training
// (data-figure="training"). `explore.js`, which `make book` writes (tsrnn/book/explore.py), sets TSRNN_EXPLORE.
(() => {
  const NAMES = { multi: "Multi-head", single: "Single-head" }, KINDS = Object.keys(NAMES);
  const PACE = 300; // milliseconds from N to N
  const mean = (x) => x.reduce((sum, v) => sum + v, 0) / x.length;
  const percent = (share) => `${Math.round(100 * share) || 0}\u00a0%`.replace("-", "−");
  const short = (x) => String(+x.toPrecision(2));
  const count = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;
  const text = (x, y, words, anchor = "middle", more = "") =>
    `<text x="${x}" y="${y}" text-anchor="${anchor}" ${more}>${words}</text>`;
  const path = (points, className, end = "") =>
    `<path class="${className}" d="M${points.map((point) => point.map((v) => v.toFixed(1)).join(" ")).join("L")}${end}"/>`;
  const line = (x, from, to, className) => path([[x, from], [x, to]], className);
  const diamond = (x, y, r) => path([[x, y - r], [x + r, y], [x, y + r], [x - r, y]], "chart-known", "Z");

  // A line from `from` to `to` in pixels for values from `low` to `high`
  const scale = (low, high, from, to) => (value) => from + ((value - low) / (high - low)) * (to - from);

  // ---------------------------------------------------------------------------------------------- ε

  const SYMBOLS = { W: "the weights, W", tau: "the time constants, τ" };
  const CHART = { width: 420, height: 240, left: 40, right: 408, top: 10, bottom: 200 };

  class Perturbations {
    constructor(root, { robustness, published }) {
      Object.assign(this, { root, robustness, published });
      const ns = Object.keys(robustness).map(Number);
      this.n = Math.max(...ns);
      root.innerHTML = `<div class="live-bar" role="group" aria-label="Networks trained to">
          <span>Trained to</span> ${ns.map((n) => `<button data-n="${n}">N = ${n}</button>`).join("")}</div>
        <div class="curves-pair">${Object.entries(SYMBOLS).map(([what, name]) => `<div>
          <p><b>A step in ${name}</b></p><svg class="chart" data-what="${what}" role="img" viewBox="0 0 ${CHART.width} ${CHART.height}"></svg>
          <input class="curves-slider" type="range" data-what="${what}" min="0" value="0" aria-label="ε, relative size of the step in ${name}">
          <p class="curves-words" data-what="${what}" aria-hidden="true"></p></div>`).join("")}</div>
        <p class="curves-key">${KINDS.map((kind) => `<span data-kind="${kind}"><b>${NAMES[kind].toLowerCase()}</b></span>`).join("")}
          <span>thin: each network</span><span>thick: their mean</span><span>◇ published, at N = ${published.N}</span></p>`;
      for (const what in SYMBOLS) {
        const { epsilon } = robustness[this.n][what], input = this.input(what);
        input.max = epsilon.length - 1;
        input.value = this.widest(what);
      }
      root.addEventListener("input", ({ target }) => this.show(target.dataset.what));
      root.addEventListener("click", ({ target }) => target.dataset.n && this.choose(+target.dataset.n));
      this.choose(this.n);
    }

    input(what) {
      return this.root.querySelector(`input[data-what=${what}]`);
    }

    choose(n) {
      this.n = n;
      for (const button of this.root.querySelectorAll("[data-n]")) button.setAttribute("aria-pressed", +button.dataset.n === n);
      for (const what in SYMBOLS) this.show(what);
    }

    // At one ε: each kind's networks, their mean, and the published value, if it is known
    values(what, at) {
      return Object.fromEntries(KINDS.map((kind) => {
        const each = Object.values(this.robustness[this.n][what][kind]).map((line) => line[at]);
        const known = this.n === this.published.N ? this.published[what]?.[kind][at] ?? null : null;
        return [kind, { each, mean: mean(each), known }];
      }));
    }

    // Where the two kinds differ most: a sensible place to begin
    widest(what) {
      const gaps = this.robustness[this.n][what].epsilon.map((_, at) => {
        const { multi, single } = this.values(what, at);
        return multi.mean - single.mean;
      });
      return gaps.indexOf(Math.max(...gaps));
    }

    show(what) {
      const { epsilon } = this.robustness[this.n][what], at = +this.input(what).value, values = this.values(what, at);
      const words = KINDS.map((kind) => {
        const { each, mean: middle, known } = values[kind], n = count(each.length, "network");
        const range = each.length > 1 ? `${percent(Math.min(...each))} to ${percent(Math.max(...each))}, ${n}` : n;
        return [kind, `${percent(middle)} of accuracy above chance is left (${range})${known === null ? "" : `; published: ${percent(known)}`}`];
      });
      this.root.querySelector(`.curves-words[data-what=${what}]`).innerHTML =
        [`<span>At <b>ε = ${short(epsilon[at])}</b>:</span>`,
          ...words.map(([kind, said]) => `<span><b data-kind="${kind}">${NAMES[kind]}</b>: ${said}.</span>`)].join("");
      this.input(what).setAttribute("aria-valuetext",
        `ε = ${short(epsilon[at])}: ${words.map(([kind, said]) => `${NAMES[kind].toLowerCase()}, ${said}`).join("; ")}`);
      this.draw(what, at);
    }

    draw(what, at) {
      const { epsilon, ...lines } = this.robustness[this.n][what], { left, right, top, bottom } = CHART;
      const x = scale(0, epsilon.length - 1, left, right), y = scale(-0.05, 1.05, bottom, top); // ε are a geometric series
      const logs = scale(Math.log(epsilon[0]), Math.log(epsilon.at(-1)), left, right);
      const ticks = [0.001, 0.01, 0.1, 1].filter((e) => e >= 0.99 * epsilon[0]);
      const axes = [0, 0.5, 1].map((v) => path([[left, y(v)], [right, y(v)]], "chart-grid") + text(left - 6, y(v) + 4, v, "end"))
        .concat(ticks.map((e) => line(logs(Math.log(e)), bottom, bottom + 4, "chart-axis") + text(logs(Math.log(e)), bottom + 17, e)))
        .concat([path([[left, bottom], [right, bottom]], "chart-axis"),
          text((left + right) / 2, bottom + 35, "ε, relative size of the step"),
          `<text transform="translate(10 ${(top + bottom) / 2}) rotate(-90)" text-anchor="middle">relative accuracy</text>`]);
      const kinds = KINDS.map((kind) => {
        const each = Object.values(lines[kind]), by = epsilon.map((_, i) => each.map((v) => v[i]));
        const edge = (of) => by.map((v, i) => [x(i), y(of(...v))]);
        const known = by.map((_, i) => [i, this.values(what, i)[kind].known]).filter(([, v]) => v !== null);
        return `<g data-kind="${kind}">${path([...edge(Math.max), ...edge(Math.min).reverse()], "chart-spread", "Z")}
          ${each.map((v) => path(v.map((a, i) => [x(i), y(a)]), "chart-each")).join("")}
          ${path(by.map((v, i) => [x(i), y(mean(v))]), "chart-mean")}
          <circle class="chart-dot" cx="${x(at)}" cy="${y(mean(by[at]))}" r="6"/>
          ${known.map(([i, v]) => diamond(x(i), y(v), 5)).join("")}</g>`;
      });
      const svg = this.root.querySelector(`svg[data-what=${what}]`);
      svg.innerHTML = axes.join("") + line(x(at), top, bottom, "chart-at") + kinds.join("");
      svg.setAttribute("aria-label", `Relative accuracy against ε for steps in ${SYMBOLS[what]}, at N = ${this.n}. The slider below says the values.`);
    }
  }

  // ---------------------------------------------------------------------------------------------- N through training

  const SHARES = [0.01, 0.1, 0.4]; // with a line
  const HIST = { width: 300, height: 190, left: 52, right: 286, top: 8, bottom: 150 };
  const MARGIN = 0.15; // around the eigenvalues and the circle
  const LABELS = { tau: "τ of the units", tau_net: "τ_net of their activity", spectrum: "eigenvalues of M" };
  const ENDS = { tau: "τ (steps)", tau_net: "τ_net (steps)" };

  const int16 = (coded) => new Int16Array(Uint8Array.from(atob(coded), (c) => c.charCodeAt(0)).buffer);
  const numbers = (object) => Object.keys(object).map(Number);

  class Training {
    constructor(root, { training, edges, spectra }) {
      Object.assign(this, { root, training, edges, spectra });
      const ns = KINDS.flatMap((kind) => numbers(training[kind].tau)), shared = numbers(training.single.tau);
      const both = numbers(training.multi.tau).filter((n) => shared.includes(n) && spectra.single.at[n]);
      const start = both[0] ?? Math.min(...shared);
      const shares = KINDS.flatMap((kind) => Object.values(training[kind]).flatMap((of) => Object.values(of).map(({ counts }) =>
        Math.max(...counts) / counts.reduce((sum, v) => sum + v, 0))));
      this.most = Math.max(...shares);
      // As much of the complex plane as all of them need
      const values = KINDS.flatMap((kind) => Object.values(spectra[kind].at).map((coded) => this.values(coded))).flat();
      const [re, im] = [0, 1].map((part) => values.map((value) => value[part]));
      const extreme = (of, x, start) => x.reduce((best, v) => of(best, v), start);
      this.plane = { low: extreme(Math.min, re, -1) - MARGIN, high: extreme(Math.max, re, 1) + MARGIN, up: extreme(Math.max, im, 1) + MARGIN };
      root.innerHTML = `<div class="live-bar"><button>Play</button>
          <label class="curves-n"><span class="unseen">N solved so far</span>
            <input type="range" min="${Math.min(...ns)}" max="${Math.max(...ns)}" value="${start}">
            <b class="live-value" aria-hidden="true"></b></label></div>
        <div class="curves-training">${KINDS.map((kind) => `<p class="curves-head" data-kind="${kind}"></p>
          ${Object.keys(LABELS).map((what) => `<div class="curves-chart" data-kind="${kind}" data-what="${what}"><p></p>
            <svg class="chart" role="img" viewBox="0 0 ${HIST.width} ${HIST.height}"></svg></div>`).join("")}`).join("")}</div>
        <p class="curves-key"><span>solid line: mean over units, then networks</span><span>dashed: published mean</span>
          <span>heights grow with the square root of the share</span></p>`;
      this.slider = root.querySelector("input");
      this.slider.addEventListener("input", () => this.play(false));
      root.querySelector("button").addEventListener("click", () => this.play(!this.timer));
      this.show();
    }

    // Real and imaginary parts, with the half that is not stored
    values(coded) {
      const parts = int16(coded), found = [];
      for (let i = 0; i < parts.length; i += 2) {
        const [re, im] = [parts[i] / 1000, parts[i + 1] / 1000];
        found.push([re, im], ...(im > 0 ? [[re, -im]] : []));
      }
      return found;
    }

    // From N to N, from the start again after the end
    play(on) {
      clearInterval(this.timer);
      this.timer = null;
      if (on) {
        if (this.slider.value === this.slider.max) this.slider.value = this.slider.min;
        this.timer = setInterval(() => {
          this.slider.value++;
          if (this.slider.value === this.slider.max) this.play(false);
          else this.show();
        }, PACE);
      }
      this.show();
    }

    // The last that was measured up to N; of eigenvalues the nearest that was kept
    found(kind, what, N) {
      if (what === "spectrum") {
        const ns = numbers(this.spectra[kind].at);
        return ns.reduce((best, n) => (Math.abs(n - N) < Math.abs(best - N) ? n : best));
      }
      return Math.max(...numbers(this.training[kind][what]).filter((n) => n <= N));
    }

    show() {
      const N = +this.slider.value, said = [];
      this.root.querySelector("button").textContent = this.timer ? "Pause" : "Play";
      this.root.querySelector(".live-value").textContent = `N = ${N}`;
      for (const kind of KINDS) {
        const n = this.found(kind, "tau", N), { networks } = this.training[kind].tau[n];
        this.root.querySelector(`.curves-head[data-kind=${kind}]`).innerHTML = `<b>${NAMES[kind]}</b> <span>${
          n < N ? `stopped at N\u00a0=\u00a0${n}` : `at N\u00a0=\u00a0${n}`} (${count(networks.length, "network")})</span>`;
        for (const what in LABELS) {
          const chart = this.root.querySelector(`.curves-chart[data-kind=${kind}][data-what=${what}]`), at = this.found(kind, what, N);
          chart.classList.toggle("curves-over", n < N);
          const words = this[what === "spectrum" ? "drawSpectrum" : "drawHistogram"](chart.querySelector("svg"), kind, what, at);
          chart.querySelector("p").innerHTML = `<b>${LABELS[what].replace("_net", "<sub>net</sub>")}</b> <span>at N\u00a0=\u00a0${at}</span><br>${words}`;
          chart.querySelector("svg").setAttribute("aria-label", `${NAMES[kind]}, N = ${at}, ${LABELS[what]}: ${words}`);
          if (what !== "spectrum") said.push(`${NAMES[kind].toLowerCase()}, ${what === "tau" ? "τ" : "τ net"}, ${words}`);
        }
      }
      this.slider.setAttribute("aria-valuetext", `N = ${N}: ${said.join("; ")}`);
    }

    drawHistogram(svg, kind, what, n) {
      const { counts, mean: middle, published } = this.training[kind][what][n], edges = this.edges[what];
      const { left, right, top, bottom } = HIST, x = scale(edges[0], edges.at(-1), left, right);
      const all = counts.reduce((sum, v) => sum + v, 0), root = scale(0, Math.sqrt(this.most), bottom, top);
      const y = (share) => root(Math.sqrt(share));
      const bars = counts.map((some, i) => some && `<rect class="chart-bar" x="${(x(edges[i]) + 0.4).toFixed(1)}" y="${y(some / all).toFixed(1)}"
        width="${(x(edges[i + 1]) - x(edges[i]) - 0.8).toFixed(1)}" height="${(bottom - y(some / all)).toFixed(1)}"/>`);
      const step = Math.ceil((edges.at(-1) - edges[0]) / 6), ticks = [];
      for (let v = edges[0]; v <= edges.at(-1); v += step) {
        const steps = Math.floor((edges.at(-1) - v) / step); // to the last; a phone has room for every other
        ticks.push(text(x(v), bottom + 18, steps ? v : `${v}+`, "middle", steps % 2 ? 'class="chart-minor"' : ""));
      }
      svg.innerHTML = `<g data-kind="${kind}">
        ${SHARES.filter((share) => share <= this.most).map((share) =>
          path([[left, y(share)], [right, y(share)]], "chart-grid") + text(left - 5, y(share) + 4, percent(share), "end")).join("")}
        ${bars.filter(Boolean).join("")}${path([[left, bottom], [right, bottom]], "chart-axis")}${ticks.join("")}
        ${text((left + right) / 2, bottom + 37, ENDS[what].replace("_net", '<tspan dy="3" font-size="75%">net</tspan><tspan dy="-3"> </tspan>'))}
        ${published === null ? "" : line(x(published), top, bottom, "chart-theirs")}${line(x(middle), top, bottom, "chart-at")}</g>`;
      const known = published === null ? "" : `, published ${published.toFixed(2)}`;
      return `mean ${middle.toFixed(2)}${known}`;
    }

    drawSpectrum(svg, kind, _, n) {
      const { network, at } = this.spectra[kind], { low, high, up } = this.plane, { width, height } = HIST;
      const r = Math.min(width / (high - low), height / 2 / up), [x0, y0] = [(width - r * (low + high)) / 2, height / 2];
      const values = this.values(at[n]), outside = values.filter(([re, im]) => Math.hypot(re, im) >= 1).length;
      const dots = values.map(([re, im]) =>
        `<circle class="chart-value" cx="${(x0 + r * re).toFixed(1)}" cy="${(y0 - r * im).toFixed(1)}" r="1.8"/>`);
      svg.innerHTML = `<g data-kind="${kind}">${path([[0, y0], [width, y0]], "chart-grid")}${line(x0, 0, height, "chart-grid")}
        <circle class="chart-axis" cx="${x0}" cy="${y0}" r="${r}"/>${dots.join("")}</g>`;
      return `network ${network}; ${outside} on or beyond the circle`;
    }
  }

  window.explore ??= { figures: [] };
  const FIGURES = { epsilon: ["robustness", Perturbations], training: ["training", Training] };
  for (const [name, [needs, Figure]] of Object.entries(FIGURES))
    for (const root of document.querySelectorAll(`.explore[data-figure="${name}"]:not(.live-ready)`)) {
      const data = window.TSRNN_EXPLORE ?? {};
      root.classList.add("live-ready");
      if (Object.keys(data[needs] ?? {}).length) window.explore.figures.push(new Figure(root, data));
      else root.textContent = "Nothing to show: `make book` found no such measurements of both kinds of networks.";
    }
})();
