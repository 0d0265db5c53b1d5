// What V8 makes of each program of the package, kept beside it so that a start compiles nothing: part of the build, and run by npm
// with the Node of the machine where the package is installed. Another Node finds the cache to be none of its own and compiles as ever.
//
// Of the command line only what a `run` really calls is kept, found by doing one: all of it would take longer to read than to compile.
import { spawnSync } from 'node:child_process'
import { createWriteStream, existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { Script } from 'node:vm'
import { pack } from 'tar-stream'
import { dist } from './tree.mjs'

const BUNDLE = /\.bundle\.js$/
const COMMAND_LINE = 'cli.bundle.js'

/** Writes NAME.cache beside each NAME.bundle.js under dist/. */
export async function writeCodeCaches() {
  for (const path of readdirSync(dist, { recursive: true }).filter((name) => BUNDLE.test(name))) writeWhole(join(dist, path))
  await writeRehearsed()
}

function writeWhole(filename) {
  setFlagsFromString('--no-lazy')
  const script = new Script(readFileSync(filename, 'latin1'), { filename })
  // Back before the cache is made: it is good only for a V8 with the flags it names.
  setFlagsFromString('--lazy')
  writeFileSync(cacheOf(filename), script.createCachedData())
}

/**
 * Runs the launcher, a program like any other, in a container of a store of its own: once to have everything made that is made once, and
 * once for the cache. Where that cannot be done the whole cache stays.
 */
async function writeRehearsed() {
  const commandLine = join(dist, 'cli.cjs')
  const program = join(dist, 'launcher')
  if (!existsSync(commandLine) || !existsSync(program)) return
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-rehearsal-'))
  const node = (...words) => {
    const env = { ...process.env, WOLFFIA_HOME: join(folder, 'home') }
    return spawnSync(process.execPath, ['--', ...words], { env, stdio: 'ignore', timeout: 30_000 }).status === 0
  }
  const run = ['run', '--rm', 'rehearsal', '/launcher', '--operations']
  try {
    const archive = join(folder, 'image.tar')
    await writeArchive(archive, readFileSync(program))
    const ready = node(commandLine, 'import', archive, 'rehearsal') && node(commandLine, ...run)
    if (ready) node(fileURLToPath(import.meta.url), 'rehearse', ...run)
  } finally {
    // Where the wall keeps folders that only it can remove, they are left to the system.
    try {
      rmSync(folder, { recursive: true, force: true })
    } catch {}
  }
}

async function writeArchive(path, program) {
  const archive = pack()
  archive.entry({ name: 'launcher', mode: 0o755 }, program)
  archive.finalize()
  await pipeline(archive, createWriteStream(path))
}

/** Is the command line for these words, and keeps what V8 has made of it in the end. */
function rehearse(words) {
  const filename = join(dist, COMMAND_LINE)
  const script = new Script(readFileSync(filename, 'latin1'), { filename })
  process.argv = [process.execPath, join(dist, 'cli.cjs'), ...words]
  process.on('exit', (code) => {
    if (code === 0) writeFileSync(cacheOf(filename), script.createCachedData())
  })
  script.runInThisContext()(createRequire(filename), filename)
}

function cacheOf(bundle) {
  return bundle.replace(BUNDLE, '.cache')
}

// A start without a cache is slower and nothing else: nothing that goes wrong here may break the installation.
if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url))
  try {
    if (process.argv[2] === 'rehearse') rehearse(process.argv.slice(3))
    else await writeCodeCaches()
  } catch (error) {
    console.error(`wolffia: starts will compile each time: ${error.message}`)
  }
