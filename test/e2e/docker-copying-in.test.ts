/** Docker's command line cases about files into containers, and about images of them: see docker.test.ts. */
import { dockerCases } from '../support/docker-case-suite.js'
import { DOCKER_CASES } from './docker-cases.js'

const test = dockerCases('e2e/docker, copying in', DOCKER_CASES.copyingIn)

test.run()
