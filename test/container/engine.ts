/** The Docker engine, where there is one, and what is asked of it beside testcontainers' own words. */

import type { ImageInspectInfo } from 'dockerode';
import { type ContainerRuntimeClient, getContainerRuntimeClient } from 'testcontainers';

async function find(): Promise<ContainerRuntimeClient | Error> {
  try {
    return await getContainerRuntimeClient();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

const found = await find();

/** Why nothing can be run in a container here, or undefined. */
export const noEngine: string | undefined =
  found instanceof Error ? `skipped: no Docker engine answers (${found.message})` : undefined;

if (noEngine !== undefined) process.stderr.write(`test/container: ${noEngine}\n`);

export function engine(): ContainerRuntimeClient {
  if (found instanceof Error) throw found;
  return found;
}

export async function inspectImage(tag: string): Promise<ImageInspectInfo> {
  return await engine().container.dockerode.getImage(tag).inspect();
}

/** How a container is, and how it ended. */
export async function stateOf(id: string) {
  const { State } = await engine().container.dockerode.getContainer(id).inspect();
  return State;
}

/** The status that the image's HEALTHCHECK gave: `starting`, `healthy` or `unhealthy`. */
export async function healthOf(id: string): Promise<string | undefined> {
  return (await stateOf(id)).Health?.Status;
}
