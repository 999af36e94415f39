"The parts of the test runner: results, checks of the tree, jobs."
