/** The `{{name}}` templates of tags and repositories in flightline.yaml. */

/** The answer of {@link expandTemplate}. */
type TemplateResult = { ok: true; text: string } | { ok: false; problem: string };

/** `true` when the text contains a `{{name}}`. */
export function isTemplate(text: string): boolean {
  return /\{\{.*?\}\}/.test(text);
}

/**
 * Replaces each `{{name}}` with its value. An unknown name and an `undefined` value, such as `commit` of a dirty work
 * tree, are problems.
 */
export function expandTemplate(text: string, values: Record<string, string | undefined>): TemplateResult {
  const names = [...text.matchAll(/\{\{\s*(.*?)\s*\}\}/g)].map((match) => match[1]!);
  for (const name of names) {
    if (!Object.hasOwn(values, name)) {
      return {
        ok: false,
        problem: `{{${name}}} is not known here; known are ${Object.keys(values)
          .map((known) => `{{${known}}}`)
          .join(', ')}`,
      };
    }
    if (values[name] === undefined) {
      return { ok: false, problem: `{{${name}}} has no value here` };
    }
  }
  return { ok: true, text: text.replace(/\{\{\s*(.*?)\s*\}\}/g, (_, name: string) => values[name]!) };
}

/** `{{date}}`: the day in UTC as YYYYMMDD. */
export function dateValue(at: Date): string {
  return at.toISOString().slice(0, 10).replaceAll('-', '');
}
