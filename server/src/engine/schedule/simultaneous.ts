/** Events within this time of each other, s, count as simultaneous: one within it of a step's end has happened. */
export const SIMULTANEOUS_S = 1e-9;
