import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import * as assert from 'uvu/assert'
import { suite } from './support/suite.js'

/** Folders of src/ in order: each imports only from those before it, from itself, and from the root's errors. */
const FOLDERS = [
  'oci',
  'reference',
  'fs',
  'layer',
  'store',
  'image',
  'registry',
  'launcher',
  'rootfs',
  'runtime',
  'native',
  'wasm',
  'volume',
  'network',
  'container',
  'build',
  'engine',
  'plugin',
  'compose',
  'daemon',
  'cli',
]
/** Never import each other. */
const STRANGERS = [
  ['native', 'wasm'],
  ['compose', 'daemon', 'cli'],
]
/** See nothing below the engine and the plugin. */
const FACES = ['compose', 'daemon', 'cli']
/** Import nothing from `node:`, so that they can run in a browser one day. */
const PORTABLE = [/^oci\//, /^reference\//, /^fs\/(?!node-fs)/, /^layer\/(?!file-source|compression)/, /^wasm\/preview1/]
const FORBIDDEN_NAMES = ['utils', 'common', 'shared', 'helpers']
const MAY_NEST = ['cli/commands', 'wasm/sandbox', 'wasm/preview1', 'wasm/component', 'wasm/instrument', 'wasm/recording', 'plugin/sandbox']

const source = resolve('src')
const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .sort()

function importsOf(file: string): { specifier: string; typeOnly: boolean }[] {
  const text = readFileSync(join(source, file), 'utf8')
  return [
    ...text.matchAll(
      /^\s*(import|export)(\s+type)?\b[^'"\n;]*?from\s+['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|^import\s+['"]([^'"]+)['"]/gm,
    ),
  ].map((match) => ({ specifier: match[3] ?? match[4] ?? match[5] ?? '', typeOnly: match[2] !== undefined }))
}

function localTarget(file: string, specifier: string): string | null {
  if (!specifier.startsWith('.')) return null
  return relative(source, resolve(source, dirname(file), specifier)).replace(/\.js$/, '.ts')
}

const folderOf = (file: string) => (file.includes('/') ? (file.split('/')[0] ?? '') : '')
const test = suite('architecture')

test('a folder imports only from folders above it and from errors', () => {
  const wrong: string[] = []
  for (const file of files) {
    const folder = folderOf(file)
    if (folder === '') continue
    for (const { specifier } of importsOf(file)) {
      const target = localTarget(file, specifier)
      if (target === null || target === 'errors.ts') continue
      const other = folderOf(target)
      if (other === folder) continue
      const strangers = STRANGERS.some((group) => group.includes(folder) && group.includes(other))
      if (other === '' || strangers || FOLDERS.indexOf(other) >= FOLDERS.indexOf(folder)) wrong.push(`${file} imports ${target}`)
    }
  }
  assert.equal(wrong, [])
})

test('every folder is in the list and none has a name that says nothing', () => {
  const folders = [...new Set(files.map(folderOf))].filter((folder) => folder !== '')
  assert.equal(
    folders.filter((folder) => !FOLDERS.includes(folder) || FORBIDDEN_NAMES.includes(folder)),
    [],
  )
})

test('only the named folders nest', () => {
  const nested = files.filter((file) => file.split('/').length > 2 && !MAY_NEST.some((folder) => file.startsWith(`${folder}/`)))
  assert.equal(nested, [])
})

test('the faces see only engine and plugin, and types of the interfaces those return', () => {
  const wrong: string[] = []
  for (const file of files.filter((path) => FACES.includes(folderOf(path)))) {
    for (const { specifier, typeOnly } of importsOf(file)) {
      const target = localTarget(file, specifier)
      if (target === null || target === 'errors.ts' || typeOnly) continue
      if (![folderOf(file), 'engine', 'plugin'].includes(folderOf(target))) wrong.push(`${file} imports ${target}`)
    }
  }
  assert.equal(wrong, [])
})

test('what shall run in a browser one day imports nothing from node:', () => {
  const wrong = files
    .filter((file) => PORTABLE.some((pattern) => pattern.test(file)))
    .flatMap((file) =>
      importsOf(file)
        .filter(({ specifier, typeOnly }) => specifier.startsWith('node:') && !typeOnly)
        .map(({ specifier }) => `${file} imports ${specifier}`),
    )
  assert.equal(wrong, [])
})

test('every test file runs its suite', () => {
  const tests = readdirSync('test', { recursive: true, encoding: 'utf8' }).filter((path) => /\.(test|long)\.ts$/.test(path))
  const silent = tests.filter((path) => !/^\s*\w*\.run\(\)$/m.test(readFileSync(join('test', path), 'utf8')))
  assert.equal(silent, [])
})

test('every local import exists', () => {
  const wrong = files.flatMap((file) =>
    importsOf(file)
      .map(({ specifier }) => localTarget(file, specifier))
      .filter(
        (target): target is string => target !== null && !(existsSync(join(source, target)) && statSync(join(source, target)).isFile()),
      )
      .map((target) => `${file} imports ${target}`),
  )
  assert.equal(wrong, [])
})

test.run()
