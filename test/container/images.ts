/** The images under test, built as the project's Dockerfiles say, and containers of them. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GenericContainer, type StartedNetwork, type StartedTestContainer, Wait } from 'testcontainers';

const ROOT = join(import.meta.dirname, '../..');

export const WORKER_IMAGE = 'tidemill-test:worker';
export const LOCAL_AWS_IMAGE = 'tidemill-test:local-aws';
export const COMMIT = '0123456789abcdef';
export const AWS_PORT = 4566;
export const SIDE_PORT = 9300;

/** The image that the worker's image is built on. */
export const BASE_IMAGE =
  /^ARG NODE_IMAGE=(\S+)$/m.exec(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'))?.[1] ?? '';

/** testcontainers knows no read-only root; the engine does. */
class ReadOnlyContainer extends GenericContainer {
  withReadOnlyRoot(): this {
    this.hostConfig.ReadonlyRootfs = true;
    return this;
  }
}

export async function buildWorkerImage(): Promise<void> {
  await GenericContainer.fromDockerfile(ROOT)
    .withBuildArgs({ TIDEMILL_COMMIT: COMMIT })
    .build(WORKER_IMAGE, { deleteOnExit: false });
}

export async function buildLocalAwsImage(): Promise<void> {
  await GenericContainer.fromDockerfile(ROOT, 'docker/local-aws/Dockerfile').build(LOCAL_AWS_IMAGE, {
    deleteOnExit: false,
  });
}

/** The embedded AWS, as `local-aws` in the network. */
export async function startLocalAws(network: StartedNetwork): Promise<StartedTestContainer> {
  return await new GenericContainer(LOCAL_AWS_IMAGE)
    .withNetwork(network)
    .withNetworkAliases('local-aws')
    .withExposedPorts(AWS_PORT)
    .withWaitStrategy(Wait.forHealthCheck())
    .start();
}

/** The worker as it is to be run: read-only, without any capability, and ready. */
export async function startWorker(
  network: StartedNetwork,
  environment: Readonly<Record<string, string>>,
): Promise<StartedTestContainer> {
  return await new ReadOnlyContainer(WORKER_IMAGE)
    .withReadOnlyRoot()
    .withDroppedCapabilities('ALL')
    .withSecurityOpt('no-new-privileges')
    .withNetwork(network)
    .withEnvironment({ ...environment })
    .withExposedPorts(SIDE_PORT)
    .withWaitStrategy(Wait.forHttp('/readyz', SIDE_PORT).forStatusCode(200))
    .start();
}

/** A container of the worker's image that does nothing, to look around in. */
export async function startShell(): Promise<StartedTestContainer> {
  return await new ReadOnlyContainer(WORKER_IMAGE)
    .withReadOnlyRoot()
    .withCommand(['sh', '-c', 'echo here; exec sleep 600'])
    .withWaitStrategy(Wait.forLogMessage('here'))
    .start();
}
