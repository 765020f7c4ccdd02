import GodwitProtocol
import HTTPTypes

/// The OpenAPI 3.1 document of the interface, made from the table that requests are answered by.
enum OpenAPIDocument {
    /// Canonical JSON, made once.
    static let bytes = document.canonicalBytes()

    static var document: JSONObject {
        [
            "openapi": "3.1.0",
            "info": [
                "title": "Godwit node", "version": "1.0.0",
                "description": "Mirrors the commands of docs/protocol.md, section 9.3. Errors are those of section 10.",
                "license": ["name": "Apache-2.0", "identifier": "Apache-2.0"],
            ],
            "servers": [["url": .string(APIPath.prefix)]],
            "paths": .object(paths),
            "components": [
                "schemas": .object(
                    JSONObject(uniqueKeysWithValues: APIComponents.shapes.map { ($0.key, .object($0.value.schema)) })),
                "responses": .object(failures),
                "securitySchemes": ["session": ["type": "http", "scheme": "bearer", "bearerFormat": "JWT"]],
            ],
        ]
    }

    private static var paths: JSONObject {
        let templates = Set(APITable.routes.map(\.template))
        return JSONObject(
            uniqueKeysWithValues: templates.map { template in
                let routes = APITable.routes.filter { $0.template == template }
                let operations = routes.map { ($0.method.rawValue.lowercased(), JSONValue.object(operation($0))) }
                return (template, .object(JSONObject(uniqueKeysWithValues: operations)))
            })
    }

    private static func operation(_ route: APIRoute) -> JSONObject {
        var operation: JSONObject = [
            "operationId": .string(route.operationID), "summary": .string(route.summary),
            "responses": .object(responses(of: route)),
        ]
        let parameters = route.parameters.map { JSONValue.object(parameter($0)) }
        if !parameters.isEmpty { operation["parameters"] = .array(parameters) }
        if let body = route.body {
            operation["requestBody"] = [
                "required": true, "content": ["application/json": ["schema": .object(body.schema)]],
            ]
        }
        if route.access == .session { operation["security"] = [["session": []]] }
        return operation
    }

    private static func parameter(_ parameter: APIParameter) -> JSONObject {
        [
            "name": .string(parameter.name), "in": .string(parameter.place.rawValue),
            "required": .bool(parameter.place == .path), "description": .string(parameter.note),
            "schema": .object(parameter.shape.schema),
        ]
    }

    // MARK: Answers

    private static func responses(of route: APIRoute) -> JSONObject {
        var responses: JSONObject = [:]
        for status in statuses(of: route) { responses[String(status)] = reference("Status\(status)") }
        guard let answer = route.answer else {
            responses["204"] = ["description": "Done."]
            return responses
        }
        let content: JSONValue = ["application/json": ["schema": .object(answer.schema)]]
        var success: JSONObject = ["description": "Done.", "content": content]
        if route.freshness == .validated {
            success["headers"] = ["ETag": ["required": true, "schema": ["type": "string"]]]
            responses["206"] = ["description": "The part asked for by Range."]
            responses["304"] = ["description": "As the client has it already."]
        }
        responses[String(route.status)] = .object(success)
        return responses
    }

    /// Statuses of the failures of an operation.
    static func statuses(of route: APIRoute) -> [Int] {
        var statuses: Set = [400, 404, 405, 406, 414, 429, 431, 500, 503]
        statuses.formUnion(route.failures.map(\.httpStatus))
        if route.access == .session { statuses.insert(401) }
        if route.body != nil { statuses.formUnion([413, 415]) }
        if route.freshness == .validated { statuses.insert(416) }
        return statuses.sorted()
    }

    private static var failures: JSONObject {
        let all = Set(APITable.routes.flatMap(statuses))
        return JSONObject(
            uniqueKeysWithValues: all.map { status in
                let codes = ErrorCode.allCases.filter { $0.httpStatus == status }.map(\.name).sorted()
                var answer: JSONObject = [
                    "description": .string(codes.isEmpty ? "INVALID_MESSAGE_FORMAT" : codes.joined(separator: ", ")),
                    "content": [
                        "application/json": ["schema": .object(APIShape.named("Error").schema)]
                    ],
                ]
                if status == 429 { answer["headers"] = ["Retry-After": ["schema": ["type": "integer"]]] }
                return ("Status\(status)", .object(answer))
            })
    }

    private static func reference(_ name: String) -> JSONValue {
        ["$ref": .string("#/components/responses/\(name)")]
    }
}
