// What the suite's runner hands to its tests: mocha files take no arguments.

/** Path of the packed extension and of the browser; set before the tests load. */
export const session = { vsix: '', executablePath: '' };
