/**
 * The bill of materials of what is shipped, CycloneDX, on standard output: `npm run --silent sbom`.
 * Made of package-lock.json alone; it asks no registry.
 *
 * npm's own `npm sbom --omit dev` leaves out packages of production that something of development needs
 * too (npm 11.19: client-s3 among them). So all are listed, and those of development taken out here.
 */

import { execFileSync, type StdioOptions } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MOST_BYTES = 64 * 1024 * 1024;

interface Bill {
  readonly components: readonly { readonly 'bom-ref': string; readonly purl: string }[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
}

interface Locked {
  readonly version: string;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
}

/** `name@version` of each package that is shipped. */
function shipped(): Set<string> {
  const { packages } = JSON.parse(readFileSync(`${ROOT}/package-lock.json`, 'utf8')) as {
    readonly packages: Readonly<Record<string, Locked>>;
  };
  const names = Object.entries(packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && dev !== true && devOptional !== true)
    .map(([path, { version }]) => `${path.slice(path.lastIndexOf('node_modules/') + 13)}@${version}`);
  return new Set(names);
}

export function billOfMaterials(): Bill {
  const command = ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only', '--offline'];
  const stdio: StdioOptions = ['ignore', 'pipe', 'inherit'];
  const text = execFileSync('npm', command, { cwd: ROOT, maxBuffer: MOST_BYTES, stdio }).toString();
  const all = JSON.parse(text) as Bill;
  const names = shipped();
  const left = all.components.filter(
    ({ purl }) => !names.has(decodeURIComponent(purl.slice('pkg:npm/'.length))),
  );
  const gone = new Set(left.map((component) => component['bom-ref']));
  return {
    ...all,
    components: all.components.filter((component) => !gone.has(component['bom-ref'])),
    dependencies: all.dependencies
      .filter(({ ref }) => !gone.has(ref))
      .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((one) => !gone.has(one)) })),
  };
}

if (import.meta.main) process.stdout.write(`${JSON.stringify(billOfMaterials(), null, 2)}\n`);
