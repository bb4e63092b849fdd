/** The built language server, timed from outside over its real protocol. */
import { readFile } from 'node:fs/promises';
import { Client, MODERN } from '../../test/server/client.ts';
import { FIGURE_ONE_SAMPLE } from '../paper/figureOne.ts';

/** Milliseconds from spawning the server to its answer to `initialize`. */
export async function serverStarts(warmUps: number, runs: number): Promise<readonly number[]> {
  const times: number[] = [];
  for (let k = 0; k < warmUps + runs; k++) {
    const startedMs = performance.now();
    const client = new Client();
    await client.start(MODERN);
    const tookMs = performance.now() - startedMs;
    await client.stop();
    if (k >= warmUps) times.push(tookMs);
  }
  return times;
}

const URI = 'file:///bench/many.layerkv.yaml';

/**
 * Milliseconds from sending a change to holding the document's diagnostics. Each change types one more digit of a name in
 * the middle of the file. Background simulation is off: it runs in a thread of its own, after a pause in typing.
 */
export async function keystrokes(lines: number, warmUps: number, runs: number): Promise<readonly number[]> {
  const sample = await readFile(`samples/${FIGURE_ONE_SAMPLE}.layerkv.yaml`, 'utf8');
  const copies = Math.ceil(lines / (sample.split('\n').length + 1));
  const text = Array.from({ length: copies }, () => sample).join('---\n');
  const all = text.split('\n').slice(0, lines);
  const middle = all.findIndex((line, k) => k >= lines / 2 && line.startsWith('  name:'));
  const client = new Client();
  client.settings = { simulation: { enabled: false } };
  await client.start(MODERN);
  await client.open(URI, all.join('\n'));
  const diagnostics = (): Promise<unknown> => client.request('textDocument/diagnostic', { textDocument: { uri: URI } });
  await diagnostics();
  const times: number[] = [];
  for (let k = 0; k < warmUps + runs; k++) {
    const end = { line: middle, character: all[middle]!.length + k };
    const startedMs = performance.now();
    await client.change(URI, k + 2, { range: { start: end, end }, text: String(k % 10) });
    await diagnostics();
    const tookMs = performance.now() - startedMs;
    if (k >= warmUps) times.push(tookMs);
  }
  await client.stop();
  return times;
}
