/** Entry of `node scripts/paper.mjs`: writes the page and its plots. */
import { writeFile } from 'node:fs/promises';
import { paperPage } from './page.ts';

for (const [path, text] of Object.entries(await paperPage())) {
  await writeFile(path, text);
  console.log(`wrote ${path} (${text.length} characters)`);
}
