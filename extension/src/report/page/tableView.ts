/** Lays out a table with proper heads, so that screen readers can say what each figure is. */
import type { Row, Table } from '../tables.ts';
import { element } from './dom.ts';

/** A colour mark for a policy; the name always stands beside it. */
export function mark(policy: number): HTMLElement {
  return element('span', { class: `mark policy-${policy}`, 'aria-hidden': 'true' });
}

function rowView(row: Row): HTMLElement {
  const head = element('th', { scope: 'row' });
  if (row.policy !== null) head.append(mark(row.policy));
  head.append(row.head);
  if (row.help !== undefined) head.append(element('span', { class: 'help' }, row.help));
  return element('tr', {}, head, ...row.cells.map((cell) => element('td', {}, cell)));
}

/** The table as HTML. It scrolls by itself where the page is narrow. */
export function tableView(table: Table, showCaption: boolean): HTMLElement {
  const caption = element('caption', showCaption ? {} : { class: 'unseen' }, table.caption);
  const heads = table.columns.map((column) =>
    element(column === '' ? 'td' : 'th', column === '' ? {} : { scope: 'col' }, column),
  );
  const view = element('table', {}, caption, element('thead', {}, element('tr', {}, ...heads)));
  for (const { name, rows } of table.groups) {
    const body = element('tbody');
    if (name !== null) {
      const head = element('th', { scope: 'rowgroup', colspan: String(table.columns.length) }, name);
      body.append(element('tr', { class: 'group' }, head));
    }
    body.append(...rows.map(rowView));
    view.append(body);
  }
  return element('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': table.caption }, view);
}
