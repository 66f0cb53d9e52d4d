"use strict";
// The network of the paper, trained, as it runs in a page: tsrnn/model.py and analysis/interventions.py once more.
// tools/check_live.py compares them. Plain scripts without libraries, so that they work from file://.
(() => {
  // ------------------------------------------------------------------------------------------------ numbers

  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
  const floats = (text) => new Float32Array(bytes(text));
  const halves = (text) => Float32Array.from(new Uint16Array(bytes(text)), half);

  function half(h) {
    const exponent = (h >> 10) & 31, fraction = h & 1023;
    const size = exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24;
    return h & 0x8000 ? -size : size;
  }

  // Uniform numbers in [0, 1) from a seed (mulberry32): the same damage twice, if asked for
  function uniform(seed) {
    return () => {
      seed = (seed + 0x6d2b79f5) | 0;
      let x = Math.imul(seed ^ (seed >>> 15), 1 | seed);
      x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
      return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  // Box and Muller's way to normal numbers
  const normal = (u) => Math.sqrt(-2 * Math.log(1 - u())) * Math.cos(2 * Math.PI * u());
  const norm = (x) => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0));
  // from, from + 1, ... to − 1
  const range = (from, to) => Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);

  // ------------------------------------------------------------------------------------------------ network

  class Network {
    constructor(stored) {
      this.ns = stored.ns;
      this.W = halves(stored.W);
      for (const name of ["tau", "rank_tau", "bias", "w_in", "head_weight", "head_bias"])
        this[name] = floats(stored[name]);
      this.H = this.tau.length;
      this.slowestFirst = range(0, this.H).sort((i, j) => this.rank_tau[j] - this.rank_tau[i]);
      this.damage({});
    }

    // The damage of the paper's section 3.4, all from the network as trained:
    //   units removed:  no weights to or from them, from the input, or to any head
    //   W perturbed:    W + ε ‖W‖/‖D‖ D, D normal, no self-connections
    //   τ perturbed:    max(τ, 1) + ε ‖τ‖/‖D‖ D, D = |normal|, so that no unit gets faster
    // and, which the paper does not do, all τ = 1. `draw` is the seed of D.
    damage({ removed = [], W = 0, tau = 0, draw = 1, allOne = false }) {
      const { H } = this, D = W || tau ? this.directions(draw) : null;
      const byW = W && (W * norm(this.W)) / norm(D.W), byTau = tau && (tau * norm(this.tau)) / norm(D.tau);
      this.alive = new Uint8Array(H).fill(1);
      this.used = this.tau.map((t, i) => (allOne ? 1 : t + (byTau && byTau * D.tau[i]))); // tau is here max(τ, 1) already
      for (const i of removed) this.alive[i] = 0;
      this.M = new Float32Array(H * H);
      this.u = [new Float32Array(H), new Float32Array(H)];
      for (let i = 0; i < H; i++) {
        if (!this.alive[i]) continue;
        const a = 1 / this.used[i];
        for (let j = 0, at = i * H; j < H; j++, at++)
          if (this.alive[j]) this.M[at] = a * (this.W[at] + (byW && byW * D.W[at]));
        this.M[i * H + i] = 1 - a;
        for (const s of [0, 1]) this.u[s][i] = a * (this.bias[i] + this.w_in[i] * s);
      }
      this.kept = null;
    }

    // Where to push W and τ, kept until another draw is asked for
    directions(draw) {
      if (this.D?.draw !== draw) {
        const u = uniform(draw), diagonal = (at) => at % (this.H + 1) === 0;
        const tau = this.tau.map(() => Math.abs(normal(u)));
        this.D = { draw, tau, W: this.W.map((_, at) => (diagonal(at) ? 0 : normal(u))) };
      }
      return this.D;
    }

    // One step of the paper's equation, φ the leaky ReLU, b + b_in the `bias`:
    //   r(t) = φ[(1 − 1/τ) r(t−1) + (1/τ)(W r(t−1) + b + w_in s(t) + b_in)]
    // which is, as in tsrnn/model.py, φ[M r(t−1) + u(s)], with A = diag(1/τ), M = (I − A) + A W and
    // u(s) = A (b + b_in + w_in s).
    step(r, s, noise) {
      const { H, M, alive } = this, u = this.u[s], next = new Float32Array(H);
      for (let i = 0; i < H; i++) {
        let x = u[i];
        for (let j = 0, at = i * H; j < H; j++, at++) x += M[at] * r[j];
        next[i] = x > 0 ? x : 0.01 * x;
      }
      if (noise) for (let i = 0; i < H; i++) next[i] += alive[i] * noise[i];
      return next;
    }

    // What each head answers in a state: whether the number of ones among the last N bits is odd
    answers(r) {
      const { H, alive, head_weight, head_bias } = this;
      return this.ns.map((_, head) => {
        let x = head_bias[head];
        for (let i = 0, at = head * H; i < H; i++, at++) x += alive[i] * head_weight[at] * r[i];
        return x > 0;
      });
    }

    initial(u = Math.random) {
      return Float32Array.from(this.tau, () => 0.1 * u());
    }

    // The answers to these bits, a row for each step
    run(bits, r = this.initial()) {
      return bits.map((s) => this.answers((r = this.step(r, s))));
    }

    // States on fair bits
    sample(steps) {
      const u = uniform(7), bits = range(0, steps).map(() => (u() < 0.5 ? 0 : 1));
      let r = this.initial(u);
      return { bits, states: bits.map((s) => (r = this.step(r, s))) };
    }

    // By what the mean state differs where something about the past is 1 and where it is 0 (chapter 6). `thing` is
    // { what: "bit", index: so many steps ago } or { what: "sum", index: of so many bits }.
    direction(thing) {
      this.kept ??= this.sample(1000);
      const { bits, states } = this.kept, sums = [0, 1].map(() => new Float64Array(this.H)), counts = [0, 0];
      for (let t = 100; t < bits.length; t++) {
        const value = valueOf(thing, bits.slice(0, t + 1));
        counts[value]++;
        for (let i = 0; i < this.H; i++) sums[value][i] += states[t][i];
      }
      return Float32Array.from(this.tau, (_, i) => sums[1][i] / counts[1] - sums[0][i] / counts[0]);
    }
  }

  const parity = (bits, n) => bits.slice(-n).reduce((sum, bit) => sum ^ bit, 0);
  const valueOf = ({ what, index }, bits) => (what === "bit" ? bits.at(-1 - index) : parity(bits, index));

  window.live ??= { figures: [], Network, parity, valueOf, uniform, normal, range };
})();
