// Builds everything under dist/: the command line and sandbox as bundles, the library, the C launcher with its seccomp
// programs, and the guest modules. `build({ tests: true })` also transpiles src, test, bench and images to build/, and
// `build({ types: true })` writes the declarations of the library for who imports it from TypeScript.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { buildLauncher } from './launcher.mjs'
import { dist, filesBelow, root, whenChanged } from './tree.mjs'

const esmBanner = "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);"

async function buildTypeScript(esbuild) {
  const options = {
    absWorkingDir: root,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    bundle: true,
    logLevel: 'warning',
    legalComments: 'none',
  }
  const entries = {
    cli: 'src/cli/main.ts',
    images: 'images/make.ts',
    sandbox: 'src/wasm/sandbox/main.ts',
    'sandbox-worker': 'src/wasm/sandbox/worker.ts',
  }
  const present = Object.fromEntries(Object.entries(entries).filter(([, path]) => existsSync(join(root, path))))
  const { sandbox, 'sandbox-worker': worker, ...commandLine } = present
  // The command line is split so that a command loads only what it uses, and finds the maker of sample images by the name that
  // package.json gives it; the sandbox's two files are bound one by one into its bare root and so must be whole.
  rmSync(join(dist, 'chunks'), { recursive: true, force: true })
  await esbuild.build({
    ...options,
    entryPoints: commandLine,
    outdir: dist,
    splitting: true,
    external: ['#images'],
    minifySyntax: true,
    chunkNames: 'chunks/[name]-[hash]',
    banner: { js: esmBanner },
  })
  if (sandbox)
    await esbuild.build({
      ...options,
      entryPoints: { sandbox, 'sandbox-worker': worker },
      outdir: dist,
      minifySyntax: true,
      banner: { js: esmBanner },
    })
  if (existsSync(join(root, 'src/index.ts')))
    await esbuild.build({ ...options, entryPoints: { index: 'src/index.ts' }, outdir: dist, packages: 'external' })
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

// AssemblyScript, which only its own compiler reads: programs of their own in wasm/NAME/ and those of images in images/NAME/wasi/.
const isGuest = (path) => /^(wasm|images\/[^/]+\/wasi)\//.test(path)

async function buildGuests() {
  const guests = ['wasm', 'images'].flatMap((folder) => filesBelow(folder, (name) => name === 'main.ts')).filter(isGuest)
  if (guests.length === 0) return
  mkdirSync(join(dist, 'wasm'), { recursive: true })
  for (const guest of guests) {
    const name = guest.split('/')[1]
    await whenChanged(
      `guest-${name}`,
      [
        ...filesBelow(dirname(guest), (file) => file.endsWith('.ts')),
        ...filesBelow('wasm/wasi', (file) => file.endsWith('.ts')),
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
            '_start',
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
  const sources = ['src', 'images'].flatMap((folder) => filesBelow(folder, (name) => name.endsWith('.ts'))).filter((path) => !isGuest(path))
  await whenChanged(
    'typescript',
    [...sources, 'scripts/build.mjs', 'package.json'],
    ['dist/cli.js', 'dist/index.js', 'dist/sandbox.js'],
    () => buildTypeScript(esbuild),
  )
  await buildSeccompPrograms(esbuild)
  await buildLauncher()
  await buildGuests()
  if (types) await whenChanged('types', [...sources, 'tsconfig.json', 'tsconfig.types.json'], ['dist/types/index.d.ts'], buildTypes)
  if (tests) await transpileForTests(esbuild)
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await build({ tests: process.argv.includes('--tests'), types: process.argv.includes('--types') })
