"""Files made to do harm, or that are no sheets: each is refused with its reason, soon and in little memory."""

import multiprocessing
import os
import random
import resource
from concurrent.futures import ProcessPoolExecutor
from itertools import chain

import pytest

from tests import workbooks
from tests.oldbooks import biff8, container
from tests.test_sheets_child import children
from tests.workbooks import FIELDS, GOOD, HEAD, balances, parts, rows, sheet, stream, write
from workers.errors import SheetRefused
from workers.services import sheets
from workers.services.sheets import Limits

MB = 2**20
FROM_SMALL = multiprocessing.get_context("forkserver")
FROM_SMALL.set_forkserver_preload([__name__])
SHEET = "xl/worksheets/sheet1.xml"
FRAME = sheet(rows(HEAD, GOOD) + "{}").encode().split(b"{}")
AT_MOST_S, AT_MOST_MB = 10, 512


def refusal(path, **more):
    """The refusal of a file, which must come within bounds.

    Measured in a process that had no other children and is small itself: Linux counts into a child's peak what its
    parent held as it was started.
    """
    with ProcessPoolExecutor(1, mp_context=FROM_SMALL) as small:
        message, english, worked_s, peak_kb = small.submit(measured, path, more).result()
    assert worked_s < AT_MOST_S, "of a processor's time: others may have the machine meanwhile"
    assert peak_kb < AT_MOST_MB * 1024
    assert english
    assert not set("ğışöüçİŞĞ") & set(english), "English is asked for by those who read no Turkish"
    return message


def measured(path, more):
    began_s = sum(os.times()[:4])
    with pytest.raises(SheetRefused) as caught, sheets.read(path, filename=path.name, fields=FIELDS, **more) as opened:
        for _ in opened.rows():
            pass
    peak_kb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return caught.value.message, caught.value.fields["en"], sum(os.times()[:4]) - began_s, peak_kb


def count_rows(path, **more):
    with sheets.read(path, filename=path.name, fields=FIELDS, **more) as opened:
        return sum(map(len, opened.rows()))


def with_rows(path, blocks):
    """The usual sheet, and more behind its rows."""
    return stream(path, SHEET, chain(FRAME[:1], blocks, FRAME[1:]), parts({"Cari": ""}))


def with_strings(path, blocks):
    more = parts({"Cari": sheet(rows(HEAD, GOOD))}, strings="")
    return stream(path, "xl/sharedStrings.xml", chain([b"<sst>"], blocks, [b"</sst>"]), more)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "boş"),
        (b"MZ\x90\0" + bytes(500), "Windows programı"),
        (b"\x7fELF" + bytes(500), "program"),
        (b"%PDF-1.7", "PDF"),
        (b"<html><table><tr><td>Cari Kodu</td></tr></table></html>", "HTML"),
        (b"Cari Kodu;Unvan", ".csv"),
        (bytes(range(256)), "ne Excel"),
        (b"PK\x05\x06" + bytes(18), "çalışma kitabı değil"),
        (b"PK\x03\x04 and nothing more", "yarım"),
    ],
)
def test_what_is_no_workbook_is_refused_whatever_its_name(tmp_path, content, reason):
    path = tmp_path / "cari.xlsx"
    path.write_bytes(content)

    assert reason in refusal(path)


def test_an_encrypted_workbook_is_told_from_an_old_one(tmp_path):
    assert "parola" in refusal(workbooks.ole(tmp_path / "a.xlsx", "EncryptedPackage", "EncryptionInfo"))
    assert "eski Office" in refusal(workbooks.ole(tmp_path / "a.xls", "WordDocument"))
    assert "parola" in refusal(workbooks.encrypted_zip(tmp_path / "b.xlsx"))
    (tmp_path / "c.xls").write_bytes(container("Workbook", biff8("Cari", [HEAD, GOOD], encrypted=True)))
    assert "parola" in refusal(tmp_path / "c.xls")
    assert count_rows(workbooks.xls(tmp_path / "d.xlsx", HEAD, GOOD)) == 1


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_short_is_refused(tmp_path, share):
    path = balances(tmp_path / "cari.xlsx", GOOD)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])

    assert "yarım" in refusal(path)


@pytest.mark.parametrize("part", [SHEET, "xl/workbook.xml"])
def test_a_wrong_checksum_is_refused(tmp_path, part):
    assert "CRC" in refusal(workbooks.with_wrong_crc(balances(tmp_path / "cari.xlsx", GOOD), part))


@pytest.mark.parametrize("part", ["xl/workbook.xml", SHEET, "_rels/.rels", "xl/_rels/workbook.xml.rels"])
def test_a_missing_part_is_named(tmp_path, part):
    missing = parts({"Cari": sheet(rows(HEAD, GOOD))})
    del missing[part]

    assert "eksik" in refusal(write(tmp_path / "cari.xlsx", missing))


def test_a_part_that_is_there_twice_is_refused(tmp_path):
    assert "iki kez" in refusal(workbooks.with_twice(balances(tmp_path / "cari.xlsx", GOOD), SHEET))


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "xl\\evil.xml", "xl/../../x"])
def test_a_part_with_a_path_that_leads_out_is_refused(tmp_path, name):
    evil = {**parts({"Cari": sheet(rows(HEAD, GOOD))}), name: "x"}

    assert "güvenli" in refusal(write(tmp_path / "cari.xlsx", evil))


def test_thousands_of_parts_are_refused(tmp_path):
    many = {f"xl/media/{n}.png": "x" for n in range(2_100)}

    assert "2106 parça" in refusal(write(tmp_path / "cari.xlsx", {**parts({"Cari": sheet(rows(HEAD, GOOD))}), **many}))


@pytest.mark.parametrize("part", [SHEET, "xl/workbook.xml", "xl/sharedStrings.xml", "xl/styles.xml"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_declarations_of_entities_are_refused_in_every_part(tmp_path, part, encoding):
    own = parts({"Cari": sheet(rows(HEAD, GOOD))}, strings="")
    laughs = '<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;">]>' + own[part]

    assert "DOCTYPE" in refusal(write(tmp_path / "cari.xlsx", {**own, part: laughs.encode(encoding)}))


def test_a_bomb_by_ratio_is_refused_before_it_is_unpacked(tmp_path):
    cells = (b'<row r="3"><c r="A3"><v>1</v></c></row>' * 20_000 for _ in range(20))

    assert "sıkıştırılmış" in refusal(with_rows(tmp_path / "cari.xlsx", cells), limits=Limits(max_rows=10**8))


def test_a_bomb_by_size_is_refused_even_where_its_header_lies(tmp_path):
    noise = random.Random(1).randbytes(MB)
    path = stream(tmp_path / "cari.xlsx", "xl/media/a.bin", [noise] * 4, parts({"Cari": sheet(rows(HEAD, GOOD))}))

    assert "3 MB" in refusal(path, limits=Limits(max_mb=3))
    assert "bozuk" in refusal(workbooks.lying_about_size(path, "xl/media/a.bin"), limits=Limits(max_mb=3))


def test_a_string_of_two_gigabytes_is_refused(tmp_path):
    huge = chain([b"<si><t>"], (b"a" * MB for _ in range(2_048)), [b"</t></si>"])

    assert "600 MB" in refusal(with_strings(tmp_path / "cari.xlsx", huge))


def test_a_text_that_is_only_too_long_is_refused(tmp_path):
    noise = random.Random(1).randbytes(MB).hex().encode()
    shared = with_strings(tmp_path / "a.xlsx", [b"<si><t>", *[noise] * 10, b"</t></si>"])
    inline = with_rows(tmp_path / "b.xlsx", [b'<row r="3"><c r="A3"><f>', *[noise] * 10, b"</f></c></row>"])

    assert "bozuk" in refusal(shared)
    assert "16 MB" in refusal(inline)


@pytest.mark.parametrize("cell", ["XFD1048576", "GS3", "ZZZZ1"])
def test_a_cell_far_to_the_right_is_refused_and_named(tmp_path, cell):
    path = with_rows(tmp_path / "cari.xlsx", [f'<row r="3"><c r="{cell}"><v>1</v></c></row>'.encode()])

    assert cell in refusal(path)


def test_16384_columns_are_refused(tmp_path):
    cells = "".join(workbooks.cell(f"{workbooks.letters(n)}3", 1) for n in range(16_384))

    assert "200 sütun" in refusal(with_rows(tmp_path / "cari.xlsx", [f'<row r="3">{cells}</row>'.encode()]))


def test_a_cell_far_down_is_read_with_its_true_number(tmp_path):
    last = rows(GOOD, start=1_048_576)
    path = with_rows(tmp_path / "cari.xlsx", [last.encode()])

    with sheets.read(path, filename="cari.xlsx", fields=FIELDS) as opened:
        found = [row.number for chunk in opened.rows() for row in chunk]

    assert (found, opened.skipped) == ([2, 1_048_576], 1_048_573)


def test_a_cell_whose_row_lies_about_where_it_is_is_refused(tmp_path):
    near = b'<row r="3"><c r="A1048576"><v>1</v></c></row>'
    wide = b'<row r="3"><c r="A3"><v>1</v></c><c r="GR1048576"><v>1</v></c></row>'

    assert "tutarsız" in refusal(with_rows(tmp_path / "a.xlsx", [near]))
    assert "bellek" in refusal(with_rows(tmp_path / "b.xlsx", [wide]))


def test_a_million_empty_rows_are_passed_over(tmp_path):
    empty = (
        b"".join(b'<row r="%d" spans="1:9" s="1" customFormat="1"/>' % n for n in range(start, start + 10_000))
        for start in range(3, 1_000_003, 10_000)
    )

    assert count_rows(with_rows(tmp_path / "cari.xlsx", empty)) == 1


@pytest.mark.parametrize("kind", ["xlsx", "csv", "xls"])
def test_too_many_rows_below_the_header_are_refused(tmp_path, kind):
    path = tmp_path / f"cari.{kind}"
    lines = (("Liste",), HEAD, *[GOOD] * 90)
    if kind == "csv":
        path.write_text("\n".join(";".join(map(str, line)) for line in lines), encoding="utf-8")
    else:
        getattr(workbooks, "workbook" if kind == "xlsx" else kind)(path, *lines)

    assert "20 satır" in refusal(path, limits=Limits(max_rows=20))
    assert "89 satır" in refusal(path, limits=Limits(max_rows=89))
    assert count_rows(path, limits=Limits(max_rows=90)) == 90


def test_a_repeated_cell_of_ods_is_refused(tmp_path):
    repeated = '<table:table-row table:number-rows-repeated="1000000"><table:table-cell'
    repeated += ' table:number-columns-repeated="16000" office:value-type="float" office:value="1"/></table:table-row>'

    assert "bozuk" in refusal(workbooks.ods(tmp_path / "cari.ods", workbooks.ods_row(HEAD) + repeated))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a" * MB, "1. satırda 131.072 karakterden uzun bir hücre var"),
        (b'Cari Kodu;Unvan\r\n"' + b"a;b\r\n" * MB, "2. satırdaki çift tırnak kapanmıyor"),
        (b";" * MB, "sütun"),
        (b"\x81\x8d\x9e\x90" * 99, "kodlama"),
    ],
)
def test_a_csv_that_is_none_is_refused(tmp_path, content, reason):
    path = tmp_path / "cari.csv"
    path.write_bytes(content)

    assert reason in refusal(path)


def test_a_file_that_takes_too_long_is_given_up_and_nothing_is_left_behind(tmp_path):
    path = balances(tmp_path / "cari.xlsx", *[GOOD] * 1000)

    assert "saniyede okunamadı" in refusal(path, limits=Limits(seconds=0.01))
    assert children() == []


def test_little_memory_is_a_reason_and_not_an_accident(tmp_path):
    strings = (b"".join(b"<si><t>%d</t></si>" % n for n in range(k, k + 10_000)) for k in range(0, 3_000_000, 10_000))

    assert "bellek" in refusal(with_strings(tmp_path / "cari.xlsx", strings), limits=Limits(memory_mb=200))
