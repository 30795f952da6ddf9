/** Recognises files and variables that hold secrets by their names. Pure. */

/** Names of files that hold secrets, by the programs that write them. */
const SECRET_FILES: readonly RegExp[] = [
  /\.(?:key|private|passphrase|p12|pfx|jks|keytab|kdbx)$/i,
  /^id_(?:rsa|dsa|ecdsa|ecdsa_sk|ed25519|ed25519_sk)$/,
  /^(?:privkey|.*[-_.]key)\.pem$/i,
  /^\.?auth\.json$/,
  /^\.dockercfg$|^\.dockerconfigjson$/,
  /^\.env(?:\..+)?$/,
  /^(?:\.netrc|\.pgpass|\.git-credentials|\.npmrc|\.pypirc|\.htpasswd|kubeconfig|credentials)$/,
];
/** Examples from projects. */
const EXAMPLES = /\.(?:pub|example|sample|template)$/;

/** Names of variables that hold a secret, not the path of one. */
const SECRET_NAMES =
  /(?:^|_)(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|CREDENTIALS?)(?:_|$)/i;
const ABOUT_SECRETS = /_(?:FILE|PATH|DIR|NAME|ID|URL)$/i;

/** `true` for the name of a file that holds a secret. Docker's config.json counts where Docker keeps it. */
export function isSecretFile(path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (EXAMPLES.test(name)) return false;
  return SECRET_FILES.some((pattern) => pattern.test(name)) || /(?:^|\/)\.docker\/config\.json$/.test(path);
}

/** `true` for the name of a variable that holds a secret. */
export function isSecretName(name: string): boolean {
  return SECRET_NAMES.test(name) && !ABOUT_SECRETS.test(name);
}
