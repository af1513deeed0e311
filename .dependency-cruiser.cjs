/** Who may import whom (ARCHITECTURE.md, "Invariants"): one way, by types where services meet. */
const only = (name, comment, module, home) => ({
  name,
  comment,
  severity: 'error',
  from: { pathNot: home },
  to: { path: `(^|/)node_modules/${module}/` },
});

const drivers = '^(storage-drivers|netplugins)/';

/** Folders of services, which `http` calls. */
const services = 'build|containers|images|logs|networks|runtime|system|volumes';

/** What services stand on; it knows none of them. */
const ground = 'archive|content|events|registry|store';

module.exports = {
  forbidden: [
    { name: 'no-cycle', severity: 'error', from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
    {
      name: 'api-spec-is-a-leaf',
      severity: 'error',
      from: { path: '^api-spec/' },
      to: { path: '^(cli|daemon|native|netplugins|storage-drivers|bench|test)/' },
    },
    {
      name: 'native-knows-no-policy',
      comment: 'The kernel, typed. It serves the drivers and the daemon and knows neither.',
      severity: 'error',
      from: { path: '^native/' },
      to: { path: '^(api-spec|cli|daemon|netplugins|storage-drivers|bench|test)/' },
    },
    {
      name: 'drivers-know-no-daemon',
      severity: 'error',
      from: { path: drivers },
      to: { path: '^(cli|daemon|bench|test)/' },
    },
    {
      name: 'storage-drivers-and-netplugins-are-strangers',
      severity: 'error',
      from: { path: '^(storage-drivers|netplugins)/' },
      to: { path: drivers, pathNot: '^$1/' },
    },
    {
      name: 'drivers-do-not-know-one-another',
      severity: 'error',
      from: { path: '^(storage-drivers|netplugins)/([^/]+)/' },
      to: { path: '^$1/[^/]+/', pathNot: '^$1/$2/' },
    },
    {
      name: 'cli-talks-http-only',
      comment: 'Who sends a context applies .dockerignore: the rules are pure, and there once.',
      severity: 'error',
      from: { path: '^cli/', pathNot: '^cli/oci-runtime/' },
      to: {
        path: '^(daemon|native|netplugins|storage-drivers)/',
        pathNot: '^daemon/build/dockerfile/ignore\\.ts$',
      },
    },
    {
      name: 'nothing-depends-on-the-cli-tests-or-bench',
      severity: 'error',
      from: { path: '^(api-spec|daemon|native|netplugins|storage-drivers)/' },
      to: { path: '^(cli|bench|test)/' },
    },
    {
      name: 'services-do-not-know-http',
      severity: 'error',
      from: { path: `^daemon/(${services}|${ground}|config)/` },
      to: { path: '^daemon/http/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'services-meet-by-types-only',
      comment: 'An interface is declared by its caller and joined in daemon/compose.ts.',
      severity: 'error',
      from: { path: `^daemon/(${services})/` },
      to: {
        path: `^daemon/(${services})/`,
        pathNot: '^daemon/$1/',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'the-ground-knows-no-service',
      severity: 'error',
      from: { path: `^daemon/(${ground})/` },
      to: { path: `^daemon/(${services})/`, dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'http-takes-services-as-arguments',
      severity: 'error',
      from: { path: '^daemon/http/' },
      to: { path: `^daemon/(${services}|${ground})/`, dependencyTypesNot: ['type-only'] },
    },
    only('koffi-only-in-native', 'Foreign calls have one home.', 'koffi', '^(native|node_modules)/'),
    only('fastify-only-in-http', 'Nothing else knows the web framework.', '(fastify|@fastify/[^/]+)', '^(daemon/http|test|node_modules)/'),
    only('sqlite-only-in-store', 'One owner of the database.', 'better-sqlite3', '^(daemon/store|test|node_modules)/'),
    {
      name: 'no-unlisted-packages',
      severity: 'error',
      from: { pathNot: '(^|/)node_modules/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'product-uses-no-dev-packages',
      severity: 'error',
      from: { path: '^(api-spec|cli|daemon|native|netplugins|storage-drivers)/', pathNot: '\\.mjs$' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'], pathNot: 'node_modules/@types/' },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)dist/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
