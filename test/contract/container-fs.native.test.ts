import { BUSYBOX, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'
import { containerFsContract } from './container-fs.js'

const test = suite('contract/container-fs.native')

containerFsContract(test.needs(NATIVE, BUSYBOX), {
  image: 'busybox',
  prepare: (wolffia) => wolffia.busybox(),
  wait: ['cat'],
  cat: (path) => ['cat', path],
  write: (path, text) => ['sh', '-c', 'printf %s "$2" > "$1"', 'sh', path, text],
  symlink: (target, path) => ['busybox', 'ln', '-s', target, path],
  rename: (from, to) => ['busybox', 'mv', from, to],
})

test.run()
