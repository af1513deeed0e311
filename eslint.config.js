import tseslint from 'typescript-eslint';

const functions = ['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression'];

const branches = [
  'IfStatement', 'ConditionalExpression', 'ForStatement', 'ForInStatement', 'ForOfStatement',
  'WhileStatement', 'DoWhileStatement', 'SwitchCase[test]', 'CatchClause',
  'LogicalExpression[operator="&&"]', 'LogicalExpression[operator="||"]',
];

/**
 * Complexity as eslint's own rule counts it, but `??` and `?.` are no branches: a list of options
 * with their defaults is data. A catch is one.
 */
const branchesRule = {
  meta: { type: 'suggestion', schema: [{ type: 'integer' }] },
  create(context) {
    const most = context.options[0];
    const counts = [];
    const enter = () => counts.push(1);
    const leave = (node) => {
      const count = counts.pop();
      if (count > most) {
        const name = node.id?.name ?? node.parent.key?.name ?? node.parent.id?.name ?? 'function';
        context.report({ loc: context.sourceCode.getFirstToken(node).loc, message: `${name} has a complexity of ${count}, at most ${most} is allowed.` });
      }
    };
    const branch = () => {
      if (counts.length > 0) counts[counts.length - 1] += 1;
    };
    return Object.fromEntries([
      ...functions.flatMap((type) => [[type, enter], [`${type}:exit`, leave]]),
      ...branches.map((selector) => [selector, branch]),
    ]);
  },
};

/** The style guide's numbers and rules; what a linter cannot see is in test/tidy. */
const rules = {
  'tsdocker/branches': ['error', 10],
  'max-depth': ['error', 3],
  'max-params': ['error', 4],
  'max-lines': ['error', 400],
  'max-lines-per-function': ['error', 60],
  'eqeqeq': 'error',
  'no-console': 'error',
  'no-var': 'error',
  'prefer-const': 'error',
  'no-restricted-syntax': [
    'error',
    { selector: 'ExportDefaultDeclaration', message: 'Named exports only.' },
    { selector: 'TSEnumDeclaration', message: 'Use a union of literals.' },
  ],
  // There are no enums, by a rule above.
  '@typescript-eslint/no-unsafe-enum-assignment': 'off',
  '@typescript-eslint/consistent-type-imports': 'error',
  '@typescript-eslint/no-explicit-any': 'error',
  '@typescript-eslint/no-floating-promises': 'error',
  '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { arguments: false } }],
  '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
  '@typescript-eslint/prefer-readonly': 'error',
  // Numbers are shown in messages all over; the other types that the rule knows stay forbidden.
  '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
  // `() => undefined` and short arrows that end in a call are how callbacks are written here.
  '@typescript-eslint/no-confusing-void-expression': 'off',
  // A method may be part of an interface that promises a promise.
  '@typescript-eslint/require-await': 'off',
  // `[...text]` is how code points are counted.
  '@typescript-eslint/no-misused-spread': 'off',
  // A test reads `process.env['X']` and index signatures alike; tsconfig decides.
  '@typescript-eslint/dot-notation': 'off',
  // A handle made for its effect has its reason in a comment.
  '@typescript-eslint/no-empty-function': 'off',
};

const sources = ['{api-spec,cli,daemon,native,netplugins,storage-drivers,bench,test}/**/*.{ts,cts}'];

// eslint asks for its configuration as a default export.
// eslint-disable-next-line no-restricted-syntax
export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '**/*.mjs', '**/*.cjs', 'eslint.config.js'] },
  {
    files: sources,
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    plugins: { tsdocker: { rules: { branches: branchesRule } } },
    rules,
  },
  {
    // A whole suite stands in one function, and a table of cases is no complexity.
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: {
      'max-lines-per-function': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      // tap's test() returns a promise that tap itself waits for.
      '@typescript-eslint/no-floating-promises': 'off',
    },
  },
  {
    files: ['cli/**/*.ts', 'bench/**/*.ts', 'test/support/**/*.ts'],
    rules: { 'no-console': 'off' },
  },
);
