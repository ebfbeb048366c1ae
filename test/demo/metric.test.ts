import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, expect, jest, test } from '@jest/globals';
import { makeDirectory, runCli, startCli } from '../cli/run-cli.ts';

// Seconds on a machine of one's own; more where many share it.
jest.setTimeout(90_000);

const directory = makeDirectory();
afterAll(() => directory.remove());

/** What must be seen, in this order. */
const SEEN = [
  /✓ embedded AWS +SQS, SNS and S3 at http:\/\/127\.0\.0\.1:\d+/,
  /✓ worker +process \d+, its log in \.tidemill\/worker\.log/,
  /✓ Seattle weather +1,461 days, 2012 to 2015, 4 series/,
  /✓ dataset +192 Parquet files/,
  /First request/,
  /metric_run_started\n/,
  /metric_run_completed {2}SUCCESS {2}1,461 rows/,
  /━{36} 100 %/,
  /Second request/,
  /"window": 30/,
  /metric_run_completed {2}SUCCESS {2}1,461 rows/,
  /Third request/,
  /metric_run_completed {2}SUCCESS {2}1,461 rows/,
  /✓ same answer/,
  /✓ nothing redone +2 runs begun so far/,
  /✓ nothing written +S3 holds the same 4 objects/,
  /s3:\/\/tidemill-lake\/metrics\/seattle\.temp_range\/\n/,
  /"row_count": 1461,/,
  /"quality": \{ "nulls": 0, "divisions_by_zero": 0 \},/,
  /2012-01-01 +12\.8 +5\.0 +7\.8 +null\n/,
  /2015-12-31 +5\.6 +-2\.1 +7\.7 +4\.503\n/,
  /all 2,922 values are what DuckDB makes of the CSV itself/,
  /°C\n/,
  /2012 +2013 +2014 +2015\n/,
  /✓ all of this in \d+\.\d s\n/,
];

test('the demo shows a metric run from message to plot, within 80 columns and in plain text, and ends with 0', async () => {
  const { code, stdout, stderr } = await runCli(['demo'], { cwd: directory.path });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  let from = 0;
  for (const pattern of SEEN) {
    const found = stdout.slice(from).search(pattern);
    if (found === -1) throw new Error(`${pattern} is not there, or not in its place:\n${stdout}`);
    from += found + 1;
  }
  expect(stdout).not.toContain('\u001b');
  expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThan(80);
});

test('kept up, it tells how to send to it, takes a request from another process, and ends with 0 on Ctrl-C', async () => {
  const demo = startCli(['demo', '--keep'], { cwd: directory.path });
  await demo.until(/Events, as they arrive/);
  const metrics = /(http:\/\/\S+\/metrics)/.exec(demo.output())?.[1] ?? '';
  expect(await (await fetch(metrics)).text()).toContain('metric_runs_succeeded_total 2');
  const commands = [...demo.output().matchAll(/npx tidemill (send .*)\n/g)].map((match) => match[1] ?? '');
  expect(commands).toHaveLength(3);
  for (const [i, expected] of [0, 0, 1].entries()) {
    const { code, stdout } = await runCli(commands[i]!.split(' '), { cwd: directory.path });
    expect({ code, stdout }).toEqual({
      code: expected,
      stdout: expect.stringContaining('metric_run_completed'),
    });
    expect(stdout).toMatch(/found in +the running demo, \.tidemill\/demo\.env/);
  }
  await demo.until(/metric_run_completed {2}snow-and-wind-\w+ {2}FAILURE\n +INPUT_READ_ERROR/);
  const other = await runCli(['demo', '--keep'], { cwd: directory.path });
  expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining('a demo is kept up here already') });

  demo.child.kill('SIGINT');
  expect(await demo.ended).toMatchObject({ code: 0, stderr: '' });
  expect(existsSync(join(directory.path, '.tidemill/demo.env'))).toBe(false);
  expect(readFileSync(join(directory.path, '.tidemill/worker.log'), 'utf8')).toContain('"msg":"stopped"');
});

test('interrupted, it clears its processes away and ends with 130', async () => {
  const demo = startCli(['demo'], { cwd: directory.path });
  await demo.until(/✓ worker +process \d+/);
  const worker = Number(/✓ worker +process (\d+)/.exec(demo.output())?.[1]);
  demo.child.kill('SIGINT');
  expect((await demo.ended).code).toBe(130);
  expect(() => process.kill(worker, 0)).toThrow('ESRCH');
});

test('a worker that dies is told with the end of its log, and exit code 1', async () => {
  const demo = startCli(['demo', '--keep'], { cwd: directory.path });
  await demo.until(/✓ worker +process \d+/);
  process.kill(Number(/✓ worker +process (\d+)/.exec(demo.output())?.[1]), 'SIGKILL');
  const { code, stderr } = await demo.ended;
  expect(code).toBe(1);
  expect(stderr).toMatch(/✗ the demo failed\n {2}the worker ended with SIGKILL\n/);
  expect(stderr).toMatch(
    /The end of the worker's log, \.tidemill\/worker\.log:\n(.*\n)* .* info {3}the worker runs/,
  );
});

test('a port that is taken is told with the option that takes another', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  for (const option of ['--port', '--metrics-port']) {
    const { code, stderr } = await runCli(['demo', option, String(port)], { cwd: directory.path });
    expect(code).toBe(1);
    expect(stderr).toContain(`port ${port} is taken by another process; ${option} takes another one`);
  }
  taken.close();
});
