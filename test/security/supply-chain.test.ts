/**
 * What is checked of the packages without a registry: the lock file pins every one of them by a checksum,
 * none comes from elsewhere, runs a script unasked or has a licence that was not looked at. And of the
 * image: that it needs no shell, and the worker no rights but to read, to listen and to have threads.
 */

import { globSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { billOfMaterials } from '../../.ci/sbom.ts';
import { DIST } from '../support/built.ts';
import { plainRequest } from '../support/metric-requests.ts';
import { openRig, type Rig } from '../support/rig.ts';
import { uploadRequest } from '../support/tiers.ts';

const ROOT = join(import.meta.dirname, '../..');
const text = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const json = (path: string) => JSON.parse(text(path)) as Record<string, unknown>;

interface Locked {
  readonly version: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly hasInstallScript?: boolean;
}

const packages = Object.entries(json('package-lock.json').packages as Record<string, Locked>).filter(
  ([path]) => path !== '',
);
const nameOf = (path: string) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
/** Whether it is for a machine that the project is developed on; npm leaves the others out. */
const runsHere = ({ os = ['linux'], cpu = ['x64'] }: Locked) =>
  (os.includes('linux') || os.includes('darwin')) && (cpu.includes('x64') || cpu.includes('arm64'));
const isDevelopment = ({ dev, devOptional }: Locked) => dev === true || devOptional === true;

/** Licences that allow what is done here: use, and passing on within an image, with their texts. */
const LICENCES = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'ISC',
  'MIT',
  'Unlicense',
]);
/** Looked at one by one: they say it elsewhere than in their package.json, or are data. All of development. */
const OTHER_LICENCES: Readonly<Record<string, string>> = {
  buildcheck: 'none said',
  'caniuse-lite': 'CC-BY-4.0',
  'cpu-features': 'none said',
  ssh2: 'none said',
};

/** Whether a licence expression is met: one of alternatives, all that are joined. */
function isAllowed(expression: string): boolean {
  const plain = expression.replaceAll(/[()]/g, '');
  return plain.split(' OR ').some((one) => one.split(' AND ').every((name) => LICENCES.has(name)));
}

describe('the lock file', () => {
  test('pins every package by its SHA-512, but those for machines that no one here has installed', () => {
    const unpinned = packages.filter(
      ([, { integrity }]) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? ''),
    );
    const odd = unpinned.filter(
      ([, { optional, os, cpu }]) => optional !== true || (os ?? cpu) === undefined,
    );
    expect(odd.map(([path]) => path)).toEqual([]);
    expect(unpinned.filter(([, locked]) => !isDevelopment(locked)).map(([path]) => path)).toEqual([]);
  });

  test('takes every package from the registry', () => {
    const foreign = packages.filter(([, { resolved, link }]) => {
      return link === true || (resolved !== undefined && !resolved.startsWith('https://registry.npmjs.org/'));
    });
    expect(foreign.map(([path]) => path)).toEqual([]);
    const { dependencies, devDependencies } = json('package.json') as Record<string, Record<string, string>>;
    const ranges = Object.values({ ...dependencies, ...devDependencies });
    expect(ranges.filter((range) => !/^[\^~]?\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(range))).toEqual([]);
  });

  test('holds no script to run at installation that was not decided upon, and none in production', () => {
    const decided = Object.keys(json('package.json').allowScripts as object);
    const scripted = packages.filter(([, { hasInstallScript }]) => hasInstallScript === true);
    const forHere = scripted.filter(([, locked]) => runsHere(locked));
    expect(forHere.map(([path]) => nameOf(path)).filter((name) => !decided.includes(name))).toEqual([]);
    expect(scripted.filter(([, locked]) => !isDevelopment(locked)).map(([path]) => path)).toEqual([]);
  });

  test('holds no licence that was not looked at', () => {
    const odd = packages.filter(([path, { license }]) => {
      return license === undefined || OTHER_LICENCES[nameOf(path)] !== undefined || !isAllowed(license);
    });
    expect(
      Object.fromEntries(odd.map(([path, { license = 'none said' }]) => [nameOf(path), license])),
    ).toEqual(OTHER_LICENCES);
    expect(odd.filter(([, locked]) => !isDevelopment(locked)).map(([path]) => path)).toEqual([]);
  });
});

test('npm run sbom lists every package of production and none of development, in CycloneDX, without a registry', () => {
  const { components, dependencies } = billOfMaterials();
  const listed = components.map(({ purl }) => decodeURIComponent(purl));
  const wanted = packages
    .filter(([, locked]) => !isDevelopment(locked))
    .map(([path, { version }]) => `pkg:npm/${nameOf(path)}@${version}`);
  expect(listed.toSorted()).toEqual([...new Set(wanted)].toSorted());
  expect(listed.some((purl) => purl.startsWith('pkg:npm/@aws-sdk/client-s3@'))).toBe(true);
  const refs = new Set(components.map((component) => component['bom-ref']));
  for (const { dependsOn = [] } of dependencies) for (const ref of dependsOn) expect(refs).toContain(ref);
}, 60_000);

test('the bundle has the licences of what is in it, all of them packages of production', () => {
  const production = new Set(
    packages
      .filter(([, locked]) => !isDevelopment(locked))
      .map(([path, { version }]) => `${nameOf(path)} ${version}`),
  );
  const texts = readFileSync(join(DIST, 'LICENCES.txt'), 'utf8').split(`\n${'-'.repeat(80)}\n`);
  const named = texts.map((one) => /^(\S+ \S+) \((.+)\)/.exec(one) ?? [one]);
  expect(named.filter(([, name = '', licence = '']) => !production.has(name) || !isAllowed(licence))).toEqual(
    [],
  );
  // What the bundle was made of, by its source maps, but for packages with maps of their own to elsewhere.
  const bundled = globSync('**/*.js.map', { cwd: DIST }).flatMap((path) => {
    const { sources } = JSON.parse(readFileSync(join(DIST, path), 'utf8')) as { sources: string[] };
    // Whole paths: from a build that lies within node_modules, as the tests' own does, none names that folder.
    const paths = sources.map((source) => resolve(DIST, dirname(path), source));
    return paths.flatMap((source) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source)?.[1] ?? []);
  });
  const licensed = new Set(named.map(([, name = '']) => name.split(' ', 1)[0]));
  expect(bundled.length).toBeGreaterThan(100);
  expect([...new Set(bundled)].filter((name) => !licensed.has(name))).toEqual([]);
  for (const name of ['@aws-sdk/client-s3', 'apache-arrow', 'pg', 'zod'])
    expect(texts.find((one) => one.startsWith(`${name} `))?.length).toBeGreaterThan(1_000);
});

describe('the image', () => {
  test('starts node and asks for its health without a shell', () => {
    const commands = [
      ...text('Dockerfile').matchAll(/^\s*(?:HEALTHCHECK .*\\\n\s+)?(?:CMD|ENTRYPOINT) (.*)$/gm),
    ];
    expect(commands).toHaveLength(2);
    for (const [, command = ''] of commands) expect(JSON.parse(command)).toContain('node');
    expect(text('Dockerfile')).toMatch(/^USER node$/m);
    expect(text('Dockerfile')).not.toMatch(/^(?:ADD|SHELL)\b/m);
  });

  test('holds a worker that starts no other program', () => {
    const sources = globSync('src/**/*.ts', { cwd: ROOT }).filter(
      (path) => !/^src\/(?:cli|demo|local)\b/.test(path),
    );
    expect(sources.length).toBeGreaterThan(100);
    expect(
      sources.filter((path) => /child_process|node:cluster|node:vm|\beval\(|new Function\(/.test(text(path))),
    ).toEqual([]);
  });
});

describe("under Node's permissions, which allow reading and threads, but no writing, no program, no addon", () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await openRig();
  });
  afterAll(() => rig.close());

  test('the worker carries out requests', async () => {
    const scene = await rig.scene();
    await scene.dataset('d', { A: [[0, 1]], B: [[0, 2]] });
    await scene.worker({
      NODE_OPTIONS: '--permission --allow-fs-read=* --allow-worker',
      NODE_COMPILE_CACHE: '',
    });
    await scene.send(plainRequest({ runId: 'run' }));
    expect(await scene.events.completed('run', { timeoutMs: 30_000 })).toMatchObject({ status: 'SUCCESS' });
    await scene.send(uploadRequest('hot', 0, { compact: true }), { group: 'hot', deduplication: 'hot' });
    const { body } = await scene.events.next('hot:compaction', 'compaction_completed', { timeoutMs: 30_000 });
    expect(body).toMatchObject({ status: 'SUCCESS' });
  });
});
