/** The terminal program without a process: files in memory, output kept. */
import type { Terminal } from '../../src/terminal/io.ts';
import { run } from '../../src/terminal/program.ts';
import { type Rooms, realRooms } from '../../src/terminal/rooms.ts';

export interface Outcome {
  /** Files written, by path. */
  readonly written: Readonly<Record<string, string>>;
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `layerkv` with `argv`; `files` is all that can be read. Width 80, no colours. */
export async function layerkv(
  argv: readonly string[],
  files: Readonly<Record<string, string>>,
  rooms: Rooms = realRooms,
): Promise<Outcome> {
  let out = '';
  let err = '';
  const written: Record<string, string> = {};
  const terminal: Terminal = {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    color: false,
    columns: 80,
    read: async (path) => {
      const text = files[path];
      return text === undefined ? { ok: false, reason: 'there is no such file' } : { ok: true, text };
    },
    write: async (path, text) => {
      if (path.startsWith('locked/')) return 'permission denied';
      written[path] = text;
      return null;
    },
    filesBeside: () => ({ readText: async (path) => files[path] ?? null }),
  };
  const code = await run(argv, terminal, rooms, '1.2.3');
  return { code, out, err, written };
}
