// What the bundles carry of others' work, with their licences: written beside the bundles at every build.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Package folders (`node_modules/a`, `node_modules/b/node_modules/c`) that went into the bundles of these metafiles. */
function packagesOf(metafiles) {
  const folders = new Set();
  for (const { outputs } of metafiles) {
    for (const { inputs } of Object.values(outputs)) {
      for (const path of Object.keys(inputs)) {
        const folder = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0];
        if (folder !== undefined) folders.add(folder);
      }
    }
  }
  return [...folders].sort();
}

/** Throws where a bundled package has no licence file: then it must not ship. */
export function writeNotices(root, metafiles, file) {
  const parts = packagesOf(metafiles).map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
    const text = readdirSync(join(root, folder)).find((entry) => /^licen[cs]e(\.(md|txt))?$/i.test(entry));
    if (text === undefined || !existsSync(join(root, folder, text))) throw new Error(`${name} has no licence file`);
    return `${name} ${version} (${license})\n\n${readFileSync(join(root, folder, text), 'utf8').trim()}\n`;
  });
  const rule = `\n${'-'.repeat(80)}\n\n`;
  writeFileSync(join(root, file), `LayerKV Planner contains the following packages.\n${rule}${parts.join(rule)}`);
}
