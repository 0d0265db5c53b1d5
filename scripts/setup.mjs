// Brings a fresh clone to where everything can run: the right Node, the locked packages, the build. By itself (`npm run build`,
// and before `npm pack`) also the declarations of the library.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

export async function setUp(options = {}) {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 10)) giveUp(`wolffia needs Node 20.10 or later; this is ${process.version}.`)
  installPackages()
  const { build } = await import('./build.mjs')
  try {
    await build(options)
  } catch (error) {
    giveUp(`wolffia could not be built in ${root}: ${error.message.trim()}`)
  }
}

function giveUp(sentence) {
  console.error(sentence)
  process.exit(1)
}

function installPackages() {
  const lock = join(root, 'package-lock.json')
  const installed = join(root, 'node_modules', '.package-lock.json')
  if (existsSync(installed) && versionsOf(installed) === versionsOf(lock)) return
  console.error('wolffia: installing the locked packages (npm ci) …')
  const { error, status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: root, stdio: ['ignore', 2, 2] })
  if (error) giveUp(`wolffia: npm could not be started (${error.message}); install npm and run this again.`)
  if (status !== 0) giveUp('wolffia: npm could not install the locked packages, see above; run this again when what it names is mended.')
}

// npm leaves out of the installed lock what this platform does not need, so only names that are in both are compared.
function versionsOf(path) {
  const { packages } = JSON.parse(readFileSync(path, 'utf8'))
  return Object.entries(packages)
    .filter(([name, entry]) => name !== '' && !entry.optional && !entry.peer)
    .map(([name, entry]) => `${name}@${entry.version}`)
    .sort()
    .join('\n')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await setUp({ types: true })
