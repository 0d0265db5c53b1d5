// Builds everything under dist/: the command line and sandbox as bundles, the library, the C launcher with its seccomp
// programs, and the guest modules. `build({ tests: true })` also transpiles src, test, bench and images to build/, and
// `build({ types: true })` writes the declarations of the library for who imports it from TypeScript.
import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { writeCodeCaches } from './code-cache.mjs'
import { buildLauncher } from './launcher.mjs'
import { dist, filesBelow, root, whenChanged } from './tree.mjs'

/** Programs of this package: each one file, in CommonJS, which Node starts in a fifth less than the same as a module. */
const PROGRAMS = {
  cli: 'src/cli/main.ts',
  bench: 'bench/packed.ts',
  'in-process': 'bench/in-process.ts',
  'sandbox/main': 'src/wasm/sandbox/main.ts',
  'sandbox/worker': 'src/wasm/sandbox/worker.ts',
  'sandbox/transpiler': 'src/wasm/sandbox/transpiler.ts',
  'sandbox/transpile-once': 'src/wasm/sandbox/transpile-once.ts',
  'sandbox/plugin': 'src/plugin/sandbox/main.ts',
  'sandbox/plugin-worker': 'src/plugin/sandbox/worker.ts',
}

/** jco's transpiler, itself a component that was transpiled: its JavaScript is bundled, linked with nothing of the host's. */
const BINDGEN = 'node_modules/@bytecodealliance/jco/obj/js-component-bindgen-component'
const BINDGEN_MODULES = ['core.wasm', 'core2.wasm']

async function buildTypeScript(esbuild) {
  const options = { absWorkingDir: root, platform: 'node', target: 'node20', bundle: true, logLevel: 'warning', legalComments: 'none' }
  for (const left of ['chunks', 'sandbox']) rmSync(join(dist, left), { recursive: true, force: true })
  await esbuild.build({
    ...options,
    format: 'cjs',
    entryPoints: PROGRAMS,
    entryNames: '[dir]/[name].bundle',
    outdir: dist,
    minify: true,
    alias: {
      '#images': './images/make.ts',
      '#bindgen': `./${BINDGEN}.js`,
      ...Object.fromEntries(
        ['cli', 'filesystem', 'io', 'random'].map((name) => [
          `@bytecodealliance/preview2-shim/${name}`,
          './src/wasm/component/bindgen-host.ts',
        ]),
      ),
    },
    // All that is loaded later is in the file too, and Node's own modules need no promise.
    supported: { 'dynamic-import': false },
    define: { 'import.meta.url': 'importMetaUrl' },
    banner: { js: "const importMetaUrl = require('node:url').pathToFileURL(__filename).href;" },
  })
  for (const name of Object.keys(PROGRAMS)) writeProgram(name)
  for (const name of BINDGEN_MODULES) copyFileSync(join(root, `${BINDGEN}.${name}`), join(dist, 'sandbox', `${basename(BINDGEN)}.${name}`))
  await esbuild.build({
    ...options,
    format: 'esm',
    entryPoints: { index: 'src/index.ts', images: 'images/make.ts' },
    outdir: dist,
    packages: 'external',
  })
}

/**
 * NAME.cjs, which starts NAME.bundle.js with what V8 made of it before. Its first lines are a shell's: Node 20 reads an `--env-file`
 * among the words of any program it starts (nodejs/node#54232) unless `--` stands before them, and busybox's env has no -S.
 */
function writeProgram(name) {
  const bundle = join(dist, `${name}.bundle.js`)
  writeFileSync(bundle, `(function (require, __filename) {${readFileSync(bundle, 'utf8')}\n})`)
  const program = join(dist, `${name}.cjs`)
  const beside = `\`\${__dirname}/${basename(name)}`
  writeFileSync(
    program,
    `#!/bin/sh
':' //; exec node -- "$0" "$@"
const { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync } = require('node:fs')
const { Script } = require('node:vm')
const filename = ${beside}.bundle.js\`
const cache = ${beside}.cache\`
const cachedData = existsSync(cache) ? readCache() : undefined
const script = new Script(readFileSync(filename, 'latin1'), { filename, cachedData })
cachedData?.buffer.resize(0)
script.runInThisContext()(require, filename)
// To be given back at once: a thread that waits collects no garbage.
function readCache() {
  const descriptor = openSync(cache)
  const { size } = fstatSync(descriptor)
  const bytes = new Uint8Array(new ArrayBuffer(size, { maxByteLength: size }))
  readSync(descriptor, bytes)
  closeSync(descriptor)
  return bytes
}
`,
  )
  chmodSync(program, 0o755)
}

async function transpileForTests(esbuild) {
  const sources = ['src', 'test', 'bench', 'images']
    .flatMap((folder) => filesBelow(folder, (name) => name.endsWith('.ts') && !name.endsWith('.d.ts')))
    .filter((path) => !isGuest(path))
  rmSync(join(root, 'build'), { recursive: true, force: true })
  await esbuild.build({
    absWorkingDir: root,
    entryPoints: sources,
    outdir: 'build',
    outbase: '.',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    bundle: false,
    sourcemap: 'inline',
    logLevel: 'warning',
  })
}

async function buildSeccompPrograms(esbuild) {
  const source = 'src/launcher/seccomp.ts'
  if (!existsSync(join(root, source))) return
  const bundle = join(dist, '.stamps', 'seccomp.mjs')
  await esbuild.build({
    absWorkingDir: root,
    entryPoints: [source],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'warning',
  })
  const { compiledPrograms } = await import(`${pathToFileURL(bundle).href}?${statSync(bundle).mtimeMs}`)
  for (const [name, bytes] of Object.entries(compiledPrograms())) writeFileSync(join(dist, name), bytes)
}

// AssemblyScript, which only its own compiler reads: programs of their own in wasm/NAME/ and those of images in images/NAME/wasi/. A folder with
// a main.ts is a program, its top level the program's start; one with a plugin.ts is a library, whose functions are called.
const isGuest = (path) => /^(wasm|images\/[^/]+\/wasi)\//.test(path)

async function buildGuests() {
  const guests = ['wasm', 'images']
    .flatMap((folder) => filesBelow(folder, (name) => name === 'main.ts' || name === 'plugin.ts'))
    .filter(isGuest)
  if (guests.length === 0) return
  mkdirSync(join(dist, 'wasm'), { recursive: true })
  for (const guest of guests) {
    const name = guest.split('/')[1]
    await whenChanged(
      `guest-${name}`,
      [
        ...filesBelow(dirname(guest), (file) => file.endsWith('.ts')),
        ...['wasm/wasi', 'wasm/host'].flatMap((folder) => filesBelow(folder, (file) => file.endsWith('.ts'))),
        'scripts/build.mjs',
      ],
      [`dist/wasm/${name}.wasm`],
      () => {
        execFileSync(
          process.execPath,
          [
            join(root, 'node_modules/assemblyscript/bin/asc.js'),
            guest,
            'wasm/wasi/abort.ts',
            '--outFile',
            `dist/wasm/${name}.wasm`,
            '--optimize',
            '--exportStart',
            guest.endsWith('/plugin.ts') ? '_initialize' : '_start',
            '--use',
            'abort=wasm/wasi/abort/abort',
          ],
          { cwd: root, stdio: 'inherit' },
        )
      },
    )
  }
}

// Declarations of all of src, from which index.d.ts takes what is public.
function buildTypes() {
  const output = join(dist, 'types')
  rmSync(output, { recursive: true, force: true })
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.types.json', '--outDir', output], {
    cwd: root,
    stdio: 'inherit',
  })
}

/** Builds what has changed. */
export async function build({ tests = false, types = false } = {}) {
  const esbuild = await import('esbuild')
  mkdirSync(join(dist, '.stamps'), { recursive: true })
  const sources = ['src', 'images', 'bench']
    .flatMap((folder) => filesBelow(folder, (name) => name.endsWith('.ts')))
    .filter((path) => !isGuest(path))
  await whenChanged(
    'typescript',
    [...sources, 'scripts/build.mjs', 'package.json'],
    ['dist/cli.cjs', 'dist/bench.cjs', 'dist/in-process.cjs', 'dist/index.js', 'dist/sandbox/main.cjs'],
    () => buildTypeScript(esbuild),
  )
  await buildSeccompPrograms(esbuild)
  await buildLauncher()
  await buildGuests()
  const programs = Object.keys(PROGRAMS).map((name) => `dist/${name}`)
  await whenChanged(
    'code-cache',
    [
      ...programs.map((program) => `${program}.bundle.js`),
      ...(existsSync(join(dist, 'launcher')) ? ['dist/launcher'] : []),
      'scripts/code-cache.mjs',
    ],
    programs.map((program) => `${program}.cache`),
    writeCodeCaches,
  )
  if (types) await whenChanged('types', [...sources, 'tsconfig.json', 'tsconfig.types.json'], ['dist/types/index.d.ts'], buildTypes)
  if (tests) await transpileForTests(esbuild)
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await build({ tests: process.argv.includes('--tests'), types: process.argv.includes('--types') })
