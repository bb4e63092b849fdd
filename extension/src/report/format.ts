/** Figures as people read them. One place, so that tables, plots and sentences agree. */

/** "850 ms", "1.23 s", "92.3 s", "1,240 s": three significant digits, thousands grouped. */
export function duration(ms: number): string {
  if (ms === 0) return '0 ms';
  const magnitude = Math.abs(ms);
  if (magnitude < 999.5) return `${significant(ms)} ms`;
  return `${significant(ms / 1000)} s`;
}

/** "97 %", "0.4 %", "0 %". `share` is 0..1; tiny shares are not rounded away. */
export function percent(share: number): string {
  const value = share * 100;
  if (value > 0 && value < 0.1) return '< 0.1 %';
  if (value < 100 && value > 99.9) return '> 99.9 %';
  return `${trimmed(value < 10 ? value.toFixed(1) : value.toFixed(0))} %`;
}

/** "12.4 GiB", "8 MiB", "0 B". */
export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let scaled = value;
  let unit = 0;
  while (Math.abs(scaled) >= 1024 && unit < units.length - 1) {
    scaled /= 1024;
    unit++;
  }
  return `${significant(scaled)} ${units[unit]}`;
}

/** "47,712": whole numbers, thousands grouped. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Three significant digits without trailing zeros; whole numbers stay whole. */
export function significant(value: number): string {
  const magnitude = Math.abs(value);
  if (magnitude >= 100) return count(value);
  const digits = magnitude >= 10 ? 1 : magnitude >= 1 ? 2 : 3;
  return trimmed(value.toFixed(digits));
}

function trimmed(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}
