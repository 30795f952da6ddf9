/** Sending a context to a registry that answers as registries do on bad days. */
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { sendLocalContext } from '../../../../client/project/context.ts';
import { processOutput, type Output } from '../../../../client/terminal/output.ts';

/** Sends a context of some files to a registry that answers so. */
async function send(files: Record<string, string>, answer: RequestListener, publicContext = false) {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-sent-'));
  const server = createServer((request, response) => {
    request.resume().on('end', () => answer(request, response));
  }).listen(0, '127.0.0.1');
  try {
    await once(server, 'listening');
    const containerfile = join(directory, 'Containerfile');
    await writeFile(containerfile, 'FROM scratch\n');
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
    const notes: string[] = [];
    const output: Output = { ...processOutput(), note: (text) => notes.push(text) };
    const repository = `127.0.0.1:${(server.address() as AddressInfo).port}/acme/context`;
    const sources = { directory, containerfile, builderConfig: null, buildContexts: {} };
    return { digest: await sendLocalContext(sources, repository, { publicContext }, output, null), notes };
  } finally {
    server.closeAllConnections();
    server.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/** A registry that is new and takes whatever comes. */
const accepts: RequestListener = ({ method, url }, response) => {
  if (method === 'POST') return void response.writeHead(202, { location: `${url}1` }).end();
  if (method === 'PUT') return void response.writeHead(201).end();
  response.writeHead(404).end();
};

const KEY = { 'device.key': '-----BEGIN EC PRIVATE KEY-----\n' };
/** It shows nothing to whoever has no login, and nobody has one here. */
const closed: RequestListener = (request, response) => {
  if (request.method !== 'GET') return accepts(request, response);
  response.writeHead(401, { 'www-authenticate': 'Basic realm="registry"' }).end();
};

it('asks a registry again that fails for a moment, as a worker does', async () => {
  const failed = new Set<string>();
  const { digest, notes } = await send({}, (request, response) => {
    const isFirst = !failed.has(request.method!) && ['GET', 'HEAD'].includes(request.method!);
    failed.add(request.method!);
    if (isFirst) return void response.writeHead(502).end();
    accepts(request, response);
  });
  expect(digest).toMatch(/^sha256:/);
  expect(notes.filter((note) => /fails: .*502.*; trying again in 1 s$/.test(note))).toHaveLength(2);
});

it.each([
  ['that everybody can pull from', accepts, /anybody can pull from/],
  ['that does not tell who can pull from it', closed, /does not say who will be able to pull/],
])('sends no private key to a registry %s', async (_, answer, message) => {
  await expect(send(KEY, answer)).rejects.toMatchObject({
    kind: 'public-context',
    message: expect.stringMatching(message) as string,
  });
});

it('sends it where a person says so', async () => {
  expect((await send(KEY, accepts, true)).digest).toMatch(/^sha256:/);
});
