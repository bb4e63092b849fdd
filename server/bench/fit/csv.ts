/** Measurement tables: CSV with a header, numbers where they look like numbers. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A row by column name; missing columns read as ''. */
export class CsvRow {
  private readonly cells: ReadonlyMap<string, string>;

  constructor(cells: ReadonlyMap<string, string>) {
    this.cells = cells;
  }

  text(column: string): string {
    return this.cells.get(column) ?? '';
  }

  /** 0 where the cell is empty. */
  number(column: string): number {
    return Number(this.text(column));
  }
}

/** @throws when the file cannot be read. */
export function readCsv(folder: string, name: string): readonly CsvRow[] {
  const [header = '', ...lines] = readFileSync(join(folder, name), 'utf8').trim().split('\n');
  const columns = splitLine(header);
  return lines.map((line) => {
    const cells = splitLine(line);
    return new CsvRow(new Map(columns.map((column, index) => [column, cells[index] ?? ''])));
  });
}

function splitLine(line: string): readonly string[] {
  return [...line.trimEnd().matchAll(/(?:^|,)(?:"([^"]*)"|([^,]*))/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
}
