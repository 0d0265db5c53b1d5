import { resolve } from 'node:path'
import { WASM } from '../support/requirements.js'
import { suite } from '../support/suite.js'
import { containerFsContract } from './container-fs.js'

const test = suite('contract/container-fs.wasm')
const probe = (...args: string[]) => ['/probe.wasm', ...args]

containerFsContract(test.needs(WASM), {
  image: 'probe',
  prepare: (wolffia) => wolffia.output('import', resolve('dist/wasm/probe.wasm'), 'probe'),
  wait: ['echo'],
  cat: (path) => probe('cat', path),
  write: (path, text) => probe('write', path, text),
  symlink: (target, path) => probe('symlink', target, path),
  rename: (from, to) => probe('rename', from, to),
})

test.run()
