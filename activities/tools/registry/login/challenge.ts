/** A registry's challenge, and the token or password that answers it. */
import { z } from 'zod';
import { registryOf } from '../../../../model/oci/reference.ts';
import { FlightlineError } from '../../../../model/failure/failure.ts';
import {
  apiAddress,
  expectSuccess,
  MAX_ANSWER,
  asRegistryErrors,
  ANSWER_WITHIN,
  said,
  allowedBy,
  type Scope,
} from '../api.ts';
import { send } from '../http.ts';
import type { Login } from './authfile.ts';

/** Where plain HTTP or an unverified certificate is allowed. */
interface InsecureRegistries {
  insecure(repository: string): boolean;
}

/** A part of a WWW-Authenticate header: scheme in lower case and parameters. */
interface Challenge {
  scheme: string;
  parameters: Record<string, string>;
}

/** Parses `WWW-Authenticate` (RFC 9110 §11.6.1). Pure. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  for (const match of header.matchAll(
    /([A-Za-z]+)(?:\s+(?=[A-Za-z_]+\s*=)|\s*(?:,|$))((?:[A-Za-z_]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s,"]+)\s*,?\s*)*)/g,
  )) {
    const parameters = Object.fromEntries(
      [...match[2]!.matchAll(/([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g)].map((pair) => [
        pair[1]!.toLowerCase(),
        (pair[2] ?? pair[3] ?? '').replace(/\\(.)/g, '$1'),
      ]),
    );
    challenges.push({ scheme: match[1]!.toLowerCase(), parameters });
  }
  return challenges;
}

const TokenAnswer = z.object({ token: z.string().optional(), access_token: z.string().optional() });

/** What a token is needed for. */
interface Wanted {
  repository: string;
  scope: Scope;
  alsoPull: string | undefined;
}

/** The Authorization header for a challenge; `undefined` without a login. */
export async function authorize(
  access: InsecureRegistries,
  wanted: Wanted,
  challenges: readonly Challenge[],
  login: Login | undefined,
): Promise<string | undefined> {
  const bearer = challenges.find((challenge) => challenge.scheme === 'bearer' && challenge.parameters.realm);
  if (bearer) return `Bearer ${await fetchToken(access, wanted, bearer.parameters, login)}`;
  return login?.kind === 'password' ? basic(login) : undefined;
}

function basic(login: Login & { kind: 'password' }): string {
  return `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`;
}

/** A token for a repository and scope (distribution's `docs/spec/auth/token.md`; `oauth.md` for identity tokens). */
async function fetchToken(
  access: InsecureRegistries,
  { repository, scope, alsoPull }: Wanted,
  parameters: Record<string, string>,
  login: Login | undefined,
): Promise<string> {
  const registry = registryOf(repository);
  const insecure = access.insecure(repository);
  const realm = URL.canParse(parameters.realm ?? '') ? new URL(parameters.realm!) : undefined;
  if (!realm || (realm.protocol !== 'https:' && !(insecure && realm.protocol === 'http:'))) {
    throw new FlightlineError(
      'registry-login',
      `${registry} names a login address that is not HTTPS; no password is sent there`,
    );
  }
  const query = new URLSearchParams({
    ...(parameters.service && { service: parameters.service }),
    // As `skopeo delete` does: not every token server knows the action "delete".
    scope: `repository:${apiAddress(repository).name}:${scope === 'delete' ? '*' : scope}`,
  });
  if (alsoPull !== undefined) query.append('scope', `repository:${apiAddress(alsoPull).name}:pull`);
  const common = { insecure, timeout: ANSWER_WITHIN, limit: MAX_ANSWER };
  const answer = await asRegistryErrors(() => {
    if (login?.kind === 'token') {
      query.set('grant_type', 'refresh_token');
      query.set('refresh_token', login.token);
      query.set('client_id', 'flightline');
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      return send(realm, { ...common, method: 'POST', headers, body: query.toString() });
    }
    for (const [name, value] of query) realm.searchParams.append(name, value);
    return send(realm, { ...common, headers: login ? { authorization: basic(login) } : {} });
  });
  if (answer.status === 401 || answer.status === 400) {
    const why = login ? 'does not accept the login' : 'asks for a login and none is configured';
    throw new FlightlineError('registry-login', `${registry} ${why} for ${repository}`);
  }
  if (answer.status === 403) {
    throw new FlightlineError(
      'registry-denied',
      `${registry} does not allow to ${allowedBy(scope)} ${repository}${said(answer)}`,
    );
  }
  expectSuccess(answer, repository, 'a login token');
  let token: string | undefined;
  try {
    const parsed = TokenAnswer.parse(JSON.parse(answer.body.toString('utf8')));
    token = parsed.token || parsed.access_token;
  } catch {
    // Reported below, without quoting an answer that may hold a token.
  }
  if (!token) throw new FlightlineError('registry', `${registry} answered a login without a token`);
  return token;
}
