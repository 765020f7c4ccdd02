import FoundationEssentials
import Glibc
import GodwitProtocol

/// Asks a script of Tests/Interop many things at once: one JSON object a line in, one out.
enum PythonScript {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// - Parameter script: name of the file in Tests/Interop.
    static func ask(_ script: String, _ requests: [JSONObject], testFile: String = #filePath) throws -> [JSONObject] {
        let root = testFile.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
        let python = getenv("GODWIT_PYTHON").map { String(cString: $0) } ?? root + "/.build-python/bin/python"
        guard access(python, X_OK) == 0 else {
            throw Failure(description: "No Python at \(python). Run `make deps` first, or set GODWIT_PYTHON.")
        }
        var template = Array("/tmp/godwit-python-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure(description: "No directory: errno \(errno)") }
        let directory = String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let (input, output) = (directory + "/in", directory + "/out")
        defer {
            unlink(input)
            unlink(output)
            rmdir(directory)
        }
        let lines = requests.map { $0.canonicalBytes() + [UInt8(ascii: "\n")] }.joined()
        try Data(lines).write(to: URL(filePath: input))
        try run(python, ["-B", "\(root)/Tests/Interop/\(script)"], input: input, output: output)
        let answers = try Data(contentsOf: URL(filePath: output)).split(separator: UInt8(ascii: "\n"))
        guard answers.count == requests.count else { throw Failure(description: "\(script) answered too little.") }
        return try answers.map { try JSONObject.parse([UInt8]($0), limits: JSONLimits(bytes: 4_194_304)) }
    }

    private static func run(_ program: String, _ options: [String], input: String, output: String) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, input, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        var arguments = ([program] + options).map { text -> UnsafeMutablePointer<CChar>? in strdup(text) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var child: pid_t = 0
        guard posix_spawn(&child, program, &actions, nil, &arguments, environ) == 0 else {
            throw Failure(description: "\(program) does not start.")
        }
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        guard status == 0 else { throw Failure(description: "The script ended with \(status).") }
    }
}
