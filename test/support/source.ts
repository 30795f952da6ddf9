/** Reads the program's source for the tests of its layout: who imports what from where, and how long things are. */
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { parseSync, type EcmaScriptModule } from 'oxc-parser';

const ROOT = join(import.meta.dirname, '../..');

export interface Import {
  /** Path from the root of the importing file. */
  file: string;
  /** As written. */
  from: string;
  /** Path from the root; a package's name for what is no file of this one. */
  target: string;
  /** Names asked for; `undefined` for all of them. */
  names: string[] | undefined;
  typeOnly: boolean;
  dynamic: boolean;
}

export interface Source {
  /** Path from the root. */
  file: string;
  text: string;
  lines: number;
  imports: Import[];
  /** Names that the file itself declares and exports, once each. */
  exports: string[];
  functions: { name: string; lines: number }[];
  /** Texts of all string literals. */
  strings: Set<string>;
}

/** All TypeScript and JavaScript files below the folders. */
export function readSources(folders: readonly string[]): Source[] {
  return folders
    .flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
    )
    .filter((file) => /\.m?[jt]s$/.test(file) && !file.includes('node_modules'))
    .map((file) => readSource(file, readFileSync(join(ROOT, file), 'utf8')));
}

/** What one file holds. */
export function readSource(file: string, text: string): Source {
  const { program, module } = parseSync(file, text);
  const facts = walk(program, text);
  return {
    file,
    text,
    lines: text.trimEnd().split('\n').length,
    imports: importsOf(file, text, module),
    exports: [
      ...new Set(
        module.staticExports
          .flatMap(({ entries }) => entries)
          .filter(({ moduleRequest }) => moduleRequest === null)
          .flatMap(({ exportName }) => (exportName.name === null ? [] : [exportName.name])),
      ),
    ],
    ...facts,
  };
}

function importsOf(file: string, text: string, module: EcmaScriptModule): Import[] {
  const one = (from: string, names: string[] | undefined, typeOnly: boolean, dynamic: boolean): Import => {
    const target = from.startsWith('.') ? relative(ROOT, resolve(ROOT, dirname(file), from)) : from;
    return { file, from, target, names, typeOnly, dynamic };
  };
  const statics = module.staticImports.map(({ moduleRequest, entries }) =>
    one(
      moduleRequest.value,
      entries.some(({ importName }) => importName.kind === 'NamespaceObject')
        ? undefined
        : entries.map(({ importName }) => importName.name ?? 'default'),
      entries.length > 0 && entries.every(({ isType }) => isType),
      false,
    ),
  );
  const passedOn = module.staticExports
    .flatMap(({ entries }) => entries)
    .flatMap(({ moduleRequest, importName, isType }) =>
      moduleRequest
        ? [one(moduleRequest.value, importName.name === null ? undefined : [importName.name], isType, false)]
        : [],
    );
  const dynamics = [
    ...text.matchAll(
      /(typeof )?(?:const \{([^}]*)\} = await )?\bimport\(\s*'([^']+)'\s*\)(?:\)?\.(?:then\(\(\{([^}]*)\}\)|(\w+)))?/g,
    ),
  ].map(([, type, before, from, then, member]) => {
    const picked = before ?? then ?? (member === 'then' ? undefined : member);
    const names = picked?.split(',').map((name) => name.split(':')[0]!.trim());
    return one(from!, names, type !== undefined, true);
  });
  return [...statics, ...passedOn, ...dynamics];
}

interface Node {
  type: string;
  start: number;
  end: number;
  [key: string]: unknown;
}

/** The functions, with the lines they take, and the string literals of a tree. */
function walk(program: unknown, text: string): Pick<Source, 'functions' | 'strings'> {
  const functions: Source['functions'] = [];
  const strings = new Set<string>();
  const visit = (node: Node, name: string) => {
    // A name in a type is checked by the compiler.
    if (node.type === 'TSLiteralType') return;
    let own = name;
    if (node.type === 'Literal' && typeof node.value === 'string') strings.add(node.value);
    const named = (node.id ?? node.key) as { name?: string } | undefined | null;
    if (named?.name !== undefined) own = named.name;
    if (/^(?:FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type)) {
      functions.push({ name: own, lines: text.slice(node.start, node.end).split('\n').length });
      own = `${own}>`;
    }
    for (const value of Object.values(node)) {
      for (const child of Array.isArray(value) ? value : [value]) {
        if (child !== null && typeof child === 'object' && 'type' in child) visit(child as Node, own);
      }
    }
  };
  visit(program as Node, '');
  return { functions, strings };
}
