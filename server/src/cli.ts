/** `layerkv`, the terminal program: joins `terminal/` to the process it runs in. */
import { version } from '../../package.json';
import { filesBeside, readText, writeText } from './terminal/input.ts';
import type { Terminal } from './terminal/io.ts';
import { run } from './terminal/program.ts';
import { realRooms } from './terminal/rooms.ts';

const { env, stdout, stderr } = process;

function wantsColor(): boolean {
  if (env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '') return false;
  if (env['FORCE_COLOR'] !== undefined && env['FORCE_COLOR'] !== '') return env['FORCE_COLOR'] !== '0';
  return stdout.isTTY === true && env['TERM'] !== 'dumb';
}

/** Wide terminals do not help a sentence; narrow ones would break every table. */
function usableColumns(): number {
  return Math.min(Math.max(stdout.columns ?? 80, 60), 100);
}

const terminal: Terminal = {
  out: (text) => void stdout.write(text),
  err: (text) => void stderr.write(text),
  color: wantsColor(),
  columns: usableColumns(),
  read: readText,
  filesBeside,
  write: writeText,
  ...(stderr.isTTY === true && {
    progress: (text: string) => void stderr.write(`\r\u001b[K${text}`),
  }),
};

// A reader that has seen enough (`layerkv … | head`) is no failure of ours.
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

run(process.argv.slice(2), terminal, realRooms, version).then(
  (code) => {
    // Set, not called: what was written to a pipe may still be on its way.
    process.exitCode = code;
  },
  (error: unknown) => {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    terminal.err(
      `layerkv failed. This is a defect in the program, not in your file; please report it with this:\n${detail}\n`,
    );
    process.exitCode = 3;
  },
);
