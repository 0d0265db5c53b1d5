/** Docker's command line cases about files out of containers: see docker.test.ts. */
import { dockerCases } from '../support/docker-case-suite.js'
import { DOCKER_CASES } from './docker-cases.js'

const test = dockerCases('e2e/docker, copying out', DOCKER_CASES.copyingOut)

test.run()
