// Builds everything under dist/: the command line and sandbox as bundles, the library, the C launcher with its seccomp
// programs, and the guest modules. `build({ tests: true })` also transpiles src, test, bench and images to build/.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))
const dist = join(root, 'dist')

/** Every file below `folder` that `accept` takes, as paths relative to the package. */
export function filesBelow(folder, accept = () => true) {
  const absolute = join(root, folder)
  if (!existsSync(absolute)) return []
  return readdirSync(absolute, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && accept(entry.name))
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)))
    .sort()
}

/** Runs `action` unless the contents of `inputs` are those of the last time. */
async function whenChanged(name, inputs, outputs, action) {
  const hash = createHash('sha256').update(process.version)
  for (const input of inputs)
    hash
      .update(input)
      .update('\0')
      .update(readFileSync(join(root, input)))
  const digest = hash.digest('hex')
  const stamp = join(dist, '.stamps', name)
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest && outputs.every((output) => existsSync(join(root, output)))) return
  await action()
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, digest)
}

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

/** Flags every build of the launcher has; the sanitizer build in CI adds its own. */
export const launcherFlags = [
  '-std=c11',
  '-D_GNU_SOURCE',
  '-O2',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-fstack-protector-strong',
  '-D_FORTIFY_SOURCE=2',
  '-ffunction-sections',
  '-fdata-sections',
  '-Wl,--gc-sections',
]

/** Compiles the launcher to `output`; static when the toolchain can. Throws what the compiler said. */
export function compileLauncher(output, extraFlags = []) {
  const compiler = process.env.CC ?? 'cc'
  const sources = filesBelow('src/launcher', (name) => name.endsWith('.c'))
  const attempt = (flags) =>
    spawnSync(compiler, [...launcherFlags, ...flags, ...extraFlags, '-o', `${output}.new`, ...sources], { cwd: root, encoding: 'utf8' })
  let result = attempt(extraFlags.length > 0 ? [] : ['-static'])
  if (result.status !== 0 && extraFlags.length === 0) result = attempt([])
  if (result.error) throw result.error
  if (result.status !== 0) throw new Error(result.stderr)
  renameSync(`${output}.new`, output)
}

async function buildLauncher() {
  const sources = filesBelow('src/launcher', (name) => /\.[ch]$/.test(name))
  if (sources.length === 0) return
  const probe = spawnSync(process.env.CC ?? 'cc', ['--version'])
  if (probe.error) {
    console.error('wolffia: no C compiler (cc) found: the native wall is left out. Install gcc or clang and run this again.')
    return
  }
  await whenChanged('launcher', [...sources, 'scripts/build.mjs'], ['dist/launcher'], () => {
    compileLauncher(join(dist, 'launcher'))
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

/** Builds what has changed. */
export async function build({ tests = false } = {}) {
  const esbuild = await import('esbuild')
  mkdirSync(join(dist, '.stamps'), { recursive: true })
  const sources = ['src', 'images'].flatMap((folder) => filesBelow(folder, (name) => name.endsWith('.ts'))).filter((path) => !isGuest(path))
  await whenChanged('typescript', [...sources, 'scripts/build.mjs', 'package.json'], ['dist/cli.js'], () => buildTypeScript(esbuild))
  await buildSeccompPrograms(esbuild)
  await buildLauncher()
  await buildGuests()
  if (tests) await transpileForTests(esbuild)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await build({ tests: process.argv.includes('--tests') })
