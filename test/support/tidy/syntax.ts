/** Walking a syntax tree. */

export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly loc: {
    readonly start: { readonly line: number };
    readonly end: { readonly line: number };
  };
  readonly [field: string]: unknown;
}

/** Calls `visit` for every node below and including `root`, with its ancestors, nearest first. */
export function walk(
  root: SyntaxNode,
  visit: (node: SyntaxNode, ancestors: readonly SyntaxNode[]) => void,
): void {
  const go = (node: SyntaxNode, ancestors: readonly SyntaxNode[]): void => {
    visit(node, ancestors);
    const inner = [node, ...ancestors];
    for (const value of Object.values(node)) {
      for (const child of Array.isArray(value) ? (value as readonly unknown[]) : [value]) {
        if (isNode(child)) go(child, inner);
      }
    }
  };
  go(root, []);
}

export function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value;
}

/** `a.b` for a plain member access, the name for an identifier, else null. */
export function nameOf(value: unknown): string | null {
  if (!isNode(value)) return null;
  if (value.type === 'Identifier') return String(value['name']);
  if (value.type !== 'MemberExpression' || value['computed'] === true) return null;
  const object = nameOf(value['object']);
  const property = nameOf(value['property']);
  return object === null || property === null ? null : `${object}.${property}`;
}

/** True where an identifier names a value, and not a property, a key or a label. */
export function isReference(node: SyntaxNode, ancestors: readonly SyntaxNode[]): boolean {
  if (node.type !== 'Identifier') return false;
  const parent = ancestors[0];
  if (parent === undefined) return true;
  if (parent.type === 'MemberExpression') {
    return parent['object'] === node || parent['computed'] === true;
  }
  const isKey = parent['key'] === node && parent['computed'] !== true;
  if (['Property', 'MethodDefinition', 'PropertyDefinition'].includes(parent.type) && isKey) {
    return parent['shorthand'] === true;
  }
  return !['ImportSpecifier', 'ExportSpecifier', 'LabeledStatement'].includes(parent.type);
}

const FUNCTIONS: ReadonlySet<string> = new Set([
  'FunctionDeclaration',
  'FunctionExpression',
  'ArrowFunctionExpression',
]);

export interface FunctionLength {
  readonly name: string;
  readonly line: number;
  readonly lines: number;
}

/** Every function with the number of lines from its head to its last brace. Suites do not count. */
export function functionLengths(root: SyntaxNode): readonly FunctionLength[] {
  const found: FunctionLength[] = [];
  walk(root, (node, ancestors) => {
    if (!FUNCTIONS.has(node.type)) return;
    const parent = ancestors[0];
    const callee = parent?.type === 'CallExpression' ? nameOf(parent['callee']) : null;
    if (callee === 'describe' || callee === 'suite') return;
    const line = node.loc.start.line;
    const name = nameOf(node['id']) ?? nameOf(parent?.['key']) ?? nameOf(parent?.['id']);
    found.push({
      name: name ?? `the function in line ${line}`,
      line,
      lines: node.loc.end.line - line + 1,
    });
  });
  return found;
}
