"use strict";
// One network of the figure, and its picture: what it did, how often it was right, and its twin with another past.
(() => {
  const { parity, valueOf, normal, range } = window.live;

  const STEPS = 48; // that a panel shows
  const TALLY = 100; // answers that are counted
  const SETTLE = 30; // steps after a change that are not, since they are in part about the time before

  class Panel {
    constructor(network, element) {
      Object.assign(this, { network, element, log: [], twin: null });
      this.name = element.querySelector("b").textContent.toLowerCase();
      this.heads = range(0, network.ns.length).reverse(); // the largest N on top
      this.find = (part) => element.querySelector(`.live-${part}`);
      const lamp = `<li><span class="live-lamp" aria-hidden="true"></span><span aria-hidden="true"></span>
        <span class="unseen"></span></li>`;
      this.find("ns").innerHTML = this.heads.map((head) => `<span>${network.ns[head]}</span>`).join("");
      this.find("lamps").innerHTML = this.heads.map(() => lamp).join("");
      this.lamps = [...this.find("lamps").children];
      this.measure();
      this.reset();
    }

    // Each unit's largest activity, for the colours, and the units' mean standard deviation, for the noise
    measure() {
      const mean = (x) => x.reduce((sum, v) => sum + v, 0) / x.length;
      const states = this.network.sample(300).states.slice(50);
      const activity = range(0, this.network.H).map((i) => states.map((r) => r[i]));
      const most = activity.map((x) => Math.max(...x));
      const floor = 0.1 * Math.max(...most); // or silent units would flicker
      this.scale = most.map((x) => Math.max(x, floor));
      const variance = (x, about) => mean(x.map((v) => (v - about) ** 2));
      this.sd = mean(activity.map((x) => Math.sqrt(variance(x, mean(x)))));
    }

    // Begin anew, for what grew beyond bounds does not come back, and count from SETTLE steps on
    reset() {
      this.r = this.network.initial();
      this.age = 0;
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
      if (!this.r.every(Number.isFinite)) this.r = network.initial();
      this.age++;
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

    // Whether the state before the bit of so many steps ago is of the network as it is now
    reaches(lag) {
      return lag + 1 < Math.min(this.age, this.log.length);
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
      const style = getComputedStyle(this.element);
      const names = ["paper", "ink", "accent", "bright", "gone", "changed", "odd", "even"];
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
            const low = mix(paper[k], accent[k], level / 0.6), high = mix(accent[k], bright[k], (level - 0.6) / 0.4);
            image.data[at + k] = !units.length ? gone[k] : level < 0.6 ? low : high;
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
      const { network, tauMax } = this, { H, slowestFirst, used, alive } = network;
      context.clearRect(0, 0, width, height);
      slowestFirst.forEach((i, rank) => {
        context.fillStyle = colours[alive[i] ? "accent" : "gone"];
        const length = Math.min(1, (used[i] - 1) / (tauMax - 1));
        context.fillRect(0, (rank * height) / H, 2 + length * (width - 4), height / H + 0.5);
      });
      if (!selected) return;
      const [top, bottom] = selected.map((rank) => (rank * height) / H);
      context.fillStyle = colours.ink;
      context.globalAlpha = 0.3;
      context.fillRect(0, top, width, Math.max(2, bottom - top));
      context.globalAlpha = 1;
    }

    drawLamps() {
      const { odd, right } = this.log.at(-1), counted = this.tallies[0].length;
      this.heads.forEach((head, row) => {
        const [lamp, count, words] = this.lamps[row].children, score = this.score(head);
        lamp.className = `live-lamp${odd[head] ? " live-odd" : ""}${right[head] ? "" : " live-wrong"}`;
        count.textContent = counted ? score : "–";
        const answer = `answers ${odd[head] ? "odd" : "even"}, ${right[head] ? "right" : "wrong"}`;
        words.textContent = `N = ${this.network.ns[head]}: ${answer}; ${score} of the last ${counted} right`;
      });
      this.find("right").textContent = counted ? this.score(this.heads[0]) : "–";
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

  Object.assign(window.live, { Panel, STEPS, TALLY, SETTLE });
})();
