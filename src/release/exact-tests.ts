// Tails and confidence bounds of the binomial and the hypergeometric distribution, exact and in logarithms, for samples up
// to millions. Knows nothing of what is counted.

const halfLogTwoPi = Math.log(2 * Math.PI) / 2;

/** ln n! less Stirling's formula. */
function stirlingError(n: number): number {
  if (n > 15) {
    const square = n * n;
    return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / square) / square) / square) / square) / n;
  }
  let logFactorial = 0;
  for (let factor = 2; factor <= n; factor++) logFactorial += Math.log(factor);
  return n === 0 ? 0 : logFactorial - (n + 0.5) * Math.log(n) + n - halfLogTwoPi;
}

/** x ln(x / mean) + mean - x, without cancellation where the two are close. */
function deviance(x: number, mean: number): number {
  if (Math.abs(x - mean) >= 0.1 * (x + mean)) return x * Math.log(x / mean) + mean - x;
  const v = (x - mean) / (x + mean);
  let sum = (x - mean) * v;
  let term = 2 * x * v;
  for (let odd = 3; ; odd += 2) {
    term *= v * v;
    const next = sum + term / odd;
    if (next === sum) return sum;
    sum = next;
  }
}

/**
 * ln P(X = k) of k hits in n trials. The saddle-point form keeps all digits for large n, where differences of
 * log-factorials lose them (C. Loader, Fast and Accurate Computation of Binomial Probabilities, 2000).
 */
export function logBinomial(k: number, n: number, p: number): number {
  if (k < 0 || k > n) return -Infinity;
  if (p <= 0 || p >= 1) return k === (p <= 0 ? 0 : n) ? 0 : -Infinity;
  if (k === 0) return n * Math.log1p(-p);
  if (k === n) return n * Math.log(p);
  const errors = stirlingError(n) - stirlingError(k) - stirlingError(n - k);
  const deviances = deviance(k, n * p) + deviance(n - k, n * (1 - p));
  return errors - deviances + 0.5 * Math.log(n / k / (n - k)) - halfLogTwoPi;
}

/** ln of 1 + r(from) + r(from) r(from + step) + … for ratios that only get smaller. */
function logSeries(from: number, step: 1 | -1, ratio: (at: number) => number): number {
  let sum = 1;
  let term = 1;
  for (let at = from; term > sum * 1e-17; at += step) {
    term *= ratio(at);
    sum += term;
  }
  return Math.log(sum);
}

const logComplement = (logP: number) => (logP > -Math.LN2 ? Math.log(-Math.expm1(logP)) : Math.log1p(-Math.exp(logP)));

/** ln P(X >= k) of a binomial. */
export function logBinomialUpper(k: number, n: number, p: number): number {
  if (k <= 0) return 0;
  if (k > n || p <= 0) return -Infinity;
  if (p >= 1) return 0;
  // Summed on the side of the mean where terms fall; the other tail is what is left.
  if (k <= n * p) return logComplement(logBinomialLower(k - 1, n, p));
  const odds = p / (1 - p);
  return Math.min(0, logBinomial(k, n, p) + logSeries(k, 1, (i) => ((n - i) / (i + 1)) * odds));
}

/** ln P(X <= k) of a binomial. */
export function logBinomialLower(k: number, n: number, p: number): number {
  if (k >= n || (k >= 0 && p <= 0)) return 0;
  if (k < 0 || p >= 1) return -Infinity;
  if (k === 0) return logBinomial(0, n, p);
  if (k > n * p) return logComplement(logBinomialUpper(k + 1, n, p));
  const odds = (1 - p) / p;
  return Math.min(0, logBinomial(k, n, p) + logSeries(k, -1, (i) => (i / (n - i + 1)) * odds));
}

/** So many drawn of all without putting back, some of all being marked. */
export interface Draw {
  all: number;
  marked: number;
  drawn: number;
}

function logHypergeometric(k: number, { all, marked, drawn }: Draw): number {
  const share = drawn / all;
  const parts = logBinomial(k, marked, share) + logBinomial(drawn - k, all - marked, share);
  return parts - logBinomial(drawn, all, share);
}

/**
 * ln P(X >= k) of the marked ones among those drawn: Fisher's exact test, one-sided. With `all` the requests of both
 * sides, `marked` the failed ones and `drawn` those of one side it asks how likely chance alone gives that side so many.
 */
export function logHypergeometricUpper(k: number, draw: Draw): number {
  const { all, marked, drawn } = draw;
  const least = Math.max(0, drawn + marked - all);
  if (k <= least) return 0;
  if (k > Math.min(drawn, marked)) return -Infinity;
  const unmarkedLeft = all - marked - drawn;
  if (k > (drawn * marked) / all) {
    const ratio = (i: number) => ((marked - i) * (drawn - i)) / ((i + 1) * (unmarkedLeft + i + 1));
    return Math.min(0, logHypergeometric(k, draw) + logSeries(k, 1, ratio));
  }
  const ratio = (i: number) => (i * (unmarkedLeft + i)) / ((marked - i + 1) * (drawn - i + 1));
  return logComplement(Math.min(0, logHypergeometric(k - 1, draw) + logSeries(k - 1, -1, ratio)));
}

/**
 * The largest share that k hits in n trials leave open: the truth lies above with probability beta at most (C. Clopper and
 * E. Pearson, 1934). 1 without trials.
 */
export function shareUpperBound(k: number, n: number, beta: number): number {
  if (k >= n) return 1;
  if (k === 0) return -Math.expm1(Math.log(beta) / n);
  const target = Math.log(beta);
  let [low, high] = [k / n, 1];
  for (let round = 0; round < 60 && high - low > 1e-12 * high; round++) {
    const middle = (low + high) / 2;
    if (logBinomialLower(k, n, middle) > target) low = middle;
    else high = middle;
  }
  return high;
}

/**
 * How many of n values may be larger than the one that is an upper bound of their distribution's quantile: with
 * probability beta at most the quantile lies above the value that so many exceed (W. Thompson, 1936; for any continuous
 * distribution, and conservative with ties). -1 when n is too small for any of them to be one.
 * @param tail 0.05 for the 95th percentile
 */
export function exceedancesOfQuantileBound(n: number, tail: number, beta: number): number {
  const target = Math.log(beta);
  let [bound, beyond] = [-1, Math.ceil(n * tail) + 1];
  while (beyond - bound > 1) {
    const middle = (bound + beyond) >> 1;
    if (logBinomialLower(middle, n, tail) <= target) bound = middle;
    else beyond = middle;
  }
  return bound;
}
