/** The master key of all processes of a test run, and whose tokens they take. For the effect alone, before anything reads the configuration. */
process.env.MASTER_KEY ??= Buffer.alloc(32, "the key of all tests").toString("base64");
process.env.ISSUER ??= "tests";
