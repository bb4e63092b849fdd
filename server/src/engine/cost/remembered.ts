/** What is worked out once for each number of sequences. */
export function rememberedBySeqs<T>(of: (seqs: number) => T): (seqs: number) => T {
  const known: (T | undefined)[] = [];
  return (seqs) => {
    const before = known[seqs];
    if (before !== undefined) return before;
    const made = of(seqs);
    known[seqs] = made;
    return made;
  };
}
