/** Spies on the engine: which corners a hunt has met. */

/** Looks at what a method returns, until undone. */
export function count<T extends object>(
  prototype: T,
  name: keyof T & string,
  look: (result: unknown) => void,
): () => void {
  const original = prototype[name] as (...args: unknown[]) => unknown;
  const watched = function (this: unknown, ...args: unknown[]): unknown {
    const result = original.apply(this, args);
    look(result);
    return result;
  };
  Object.assign(prototype, { [name]: watched });
  return () => Object.assign(prototype, { [name]: original });
}
