import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { CLI, makeDirectory, type Ran, runCli } from './run-cli.ts';

const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'));
const directory = makeDirectory();
const run = (...args: string[]): Promise<Ran> => runCli(args, { cwd: directory.path });

/** The commands, as --help lists them. */
let commands: string[];

beforeAll(async () => {
  const { stdout } = await run('--help');
  commands = [...stdout.matchAll(/^ {2}([a-z]+) .*$/gm)].map((match) => match[1] ?? '');
});

afterAll(() => directory.remove());

test('--help names every command and ends with 0', async () => {
  const { code, stdout, stderr } = await run('--help');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  for (const name of ['worker', 'demo', 'send', 'validate'])
    expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
});

test('every command has --help and --version', async () => {
  expect(commands.length).toBeGreaterThanOrEqual(5);
  const asked = commands.filter((name) => name !== 'help');
  const answers = await Promise.all(asked.flatMap((name) => [run(name, '--help'), run(name, '--version')]));
  for (const [i, name] of asked.entries()) {
    expect(answers[2 * i]).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`Usage: tidemill ${name}`),
    });
    expect(answers[2 * i + 1]).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  }
});

test('no line of help is wider than 80 columns', async () => {
  for (const { stdout } of await Promise.all(commands.map((name) => run('help', name)))) {
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  }
});

test.each([
  { args: [], says: 'Usage: tidemill' },
  { args: ['sned'], says: "unknown command 'sned'\n(Did you mean send?)" },
  { args: ['demo', '--prot', '1'], says: '(Did you mean --port?)' },
  { args: ['demo', '--port', 'x'], says: '--port must be a whole number from 0 to 65535, got "x"' },
  { args: ['demo', 'nothing'], says: 'there is no demo "nothing". There are:\n  metric ' },
  { args: ['send'], says: "missing required argument 'file'" },
  { args: ['send', 'gone.json'], says: 'there is no file gone.json' },
  { args: ['validate', '.'], says: '. is a directory' },
])('called wrongly it says so and ends with 2: $args', async ({ args, says }) => {
  const { code, stdout, stderr } = await run(...args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(says);
});

test('worker names every setting that is wrong and ends with 1', async () => {
  const { code, stderr } = await run('worker');
  expect(code).toBe(1);
  expect(stderr).toMatch(/^The configuration is invalid:\n {2}AWS_S3_BUCKET: is required\n/);
});

test('a reader that has seen enough is no error', async () => {
  const { spawnSync } = await import('node:child_process');
  const command = `"${process.execPath}" "${CLI}" help send | head -c 10; echo " \${PIPESTATUS[0]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', command], { encoding: 'utf8' });
  expect({ stdout, stderr }).toEqual({ stdout: 'Usage: tid 0\n', stderr: '' });
});
