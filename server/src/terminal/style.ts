/** Laying out text for a terminal: colours, columns, wrapped lines. */

export type Style = 'bold' | 'dim' | 'red' | 'yellow' | 'green' | 'cyan';

/** Puts a style around a text, or leaves it as it is where there are no colours. */
export type Paint = (style: Style, text: string) => string;

const codes: Readonly<Record<Style, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  yellow: [33, 39],
  green: [32, 39],
  cyan: [36, 39],
};

/** With `color` false every text stays as it is. */
export function painter(color: boolean): Paint {
  if (!color) return (_style, text) => text;
  return (style, text) => `\u001b[${codes[style][0]}m${text}\u001b[${codes[style][1]}m`;
}

/** Text from outside (file names, contents, messages that quote them) without what a terminal would obey. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out.
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, '·');
}

/** A figure and its unit, or a percent sign: they stay on one line. */
const figureAndUnit = /(?<=\d) (?=(?:%|ms|s|min|h|[kMGTP]?B|tokens|requests?\b)(?![A-Za-z]))/g;
const glue = '\u0000';

/** Breaks at spaces; a word longer than the width keeps a line of its own. `indent` goes before every line. */
export function wrap(text: string, columns: number, indent = ''): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.replace(figureAndUnit, glue).split(/ +/)) {
    if (line !== '' && indent.length + line.length + 1 + word.length > columns) {
      lines.push(indent + line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  if (line !== '') lines.push(indent + line);
  return lines.map((each) => each.replaceAll(glue, ' '));
}

export interface Cell {
  readonly text: string;
  readonly style?: Style;
}

/** First column to the left, the others to the right, two spaces between; trailing blanks are cut. */
export function table(rows: readonly (readonly (Cell | string)[])[], paint: Paint, indent = '  '): readonly string[] {
  const cells = rows.map((row) => row.map((cell): Cell => (typeof cell === 'string' ? { text: cell } : cell)));
  const widths: number[] = [];
  for (const row of cells) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.text.length);
  }
  return cells.map((row) => {
    const line = row.map(({ text, style }, column) => {
      const padding = ' '.repeat((widths[column] ?? 0) - text.length);
      const shown = style === undefined ? text : paint(style, text);
      return column === 0 ? shown + padding : padding + shown;
    });
    return `${indent}${line.join('  ')}`.trimEnd();
  });
}
