// A belief about a block as the server tells it: a weighted mixture of components, {weight, mean: [D], stddev: [D]} each.

/** One component, drawn by its weight. */
export function component(parts) {
  let left = Math.random() * parts.reduce((sum, { weight }) => sum + weight, 0);
  return parts.find(({ weight }) => (left -= weight) < 0) ?? parts.at(-1);
}

/** A number from dimension d of a component; family: "gaussian" or "laplace". */
export function drawn(part, d, family) {
  return part.mean[d] + part.stddev[d] * (family === "laplace" ? laplace() : normal());
}

export function mean(parts, d) {
  return average(parts, (part) => part.mean[d]);
}

export function deviation(parts, d) {
  return Math.sqrt(Math.max(0, average(parts, (part) => part.stddev[d] ** 2 + part.mean[d] ** 2) - mean(parts, d) ** 2));
}

/** The density of dimension d at z. */
export function density(parts, d, family, z) {
  return average(parts, ({ mean, stddev }) => {
    const away = Math.abs(z - mean[d]) / stddev[d];
    if (family === "laplace") return Math.exp(-away * Math.SQRT2) / (Math.SQRT2 * stddev[d]);
    return Math.exp(-0.5 * away ** 2) / (Math.sqrt(2 * Math.PI) * stddev[d]);
  });
}

const average = (parts, value) => parts.reduce((sum, part) => sum + part.weight * value(part), 0);

/** A standard normal number (Box and Muller). */
function normal() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}

/** A Laplace number of standard deviation 1. */
function laplace() {
  const u = Math.random() - 0.5;
  return (-Math.sign(u) * Math.log(1 - 2 * Math.abs(u))) / Math.SQRT2;
}
