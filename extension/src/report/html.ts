/** The report page's HTML: an empty frame, filled by the page's own script. */

/** Addresses of the page's files as the webview sees them. */
export interface PageFiles {
  readonly cspSource: string;
  readonly script: string;
  readonly style: string;
  /** Fresh for each page. */
  readonly nonce: string;
}

/** Only our one script (by nonce) and our style sheet load; no network, no images, no inline script, no forms. */
export function reportHtml({ cspSource, script, style, nonce }: PageFiles): string {
  const policy = [
    "default-src 'none'",
    `style-src ${cspSource}`,
    `script-src 'nonce-${nonce}'`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>LayerKV report</title>
<link rel="stylesheet" href="${style}">
</head>
<body>
<main id="report" tabindex="-1"></main>
<script nonce="${nonce}" src="${script}"></script>
</body>
</html>
`;
}
