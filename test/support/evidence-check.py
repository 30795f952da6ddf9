"""Asks the libraries of those who write the specifications whether a document is one.

Reads the file and prints what is wrong, a line each; nothing when it is as specified.
usage: evidence-check.py statement|spdx|cyclonedx FILE
"""

import sys
from pathlib import Path

kind, file = sys.argv[1:]
text = Path(file).read_text()


def statement():
    """in-toto Statement v1 with SLSA Provenance v1: JSON of their protocol buffers, without unknown fields."""
    import json

    from google.protobuf import json_format
    from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
    from in_toto_attestation.v1 import statement_pb2
    from in_toto_attestation.v1.statement import Statement

    try:
        parsed = json_format.Parse(text, statement_pb2.Statement())
        Statement.copy_from_pb(parsed).validate()
        provenance = json_format.ParseDict(json.loads(text)["predicate"], provenance_pb2.Provenance())
        if not provenance.build_definition.build_type or not provenance.run_details.builder.id:
            yield "buildType and builder.id are required"
    except (json_format.ParseError, ValueError, KeyError) as error:
        yield str(error)


def spdx():
    """SPDX 2.3."""
    import json

    from spdx_tools.spdx.parser.error import SPDXParsingError
    from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    try:
        document = JsonLikeDictParser().parse(json.loads(text))
    except SPDXParsingError as error:
        yield from error.get_messages()
        return
    for message in validate_full_spdx_document(document, "SPDX-2.3"):
        yield message.validation_message


def cyclonedx():
    """The strict JSON schema of the version that the document names."""
    import json

    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    version = SchemaVersion.from_version(json.loads(text)["specVersion"])
    error = JsonStrictValidator(version).validate_str(text)
    if error is not None:
        yield str(error)


for problem in {"statement": statement, "spdx": spdx, "cyclonedx": cyclonedx}[kind]():
    print(" ".join(problem.split()))
