"""Why a sheet is not read, in Turkish and in English: who uploaded it is told in the language of the upload, others in
their own. A test holds these to what workers/services/sheets says."""

SHEETS = {
    "Dosya içe aktarılamadı: {reason}.": "The file can't be imported: {reason}.",
    "Bu adda bir sayfa yok: {reason}.": "There is no sheet of that name: {reason}.",
    "Başlık satırı bulunamadı: {reason}.": "The header row was not found: {reason}.",
    # its name, its head
    "“{wanted}”; dosyadaki sayfalar: {seen}": "“{wanted}”; the sheets are {seen}",
    "{row}. satırdaki başlıklarda {missing} yok; görülenler: {seen}": "row {row} has no {missing} among {seen}",
    "aranan sütunlar: {wanted}; dosyanın ilk satırları: {seen}": "wanted are {wanted}; the first rows are {seen}",
    "{alias} hangi sütunda belli değil: {seen}; yüklerken o sütunu seçin ya da ötekilerin başlığını değiştirin": (
        "each of {seen} may be {alias}; name the right one at the upload, or rename the others"
    ),
    "{seen} {alias} olabilir, başlığı söylemiyor; öyleyse yüklerken seçin, değilse yok deyin": (
        "{seen} may be {alias}; if so, choose it at the upload, else say that there is none"
    ),
    "{named} başlığı sayfada yok; görülenler: {seen}": "no column is called {named}; seen are {seen}",
    "{unknown} diye bir alan yok": "there is no column {unknown} to import",
    # what it is
    "dosya boş": "the file is empty",
    "sayfa boş ({names})": "the sheet is empty ({names})",
    "“{sheet}” sayfasında başlığın altında satır yok": "the sheet “{sheet}” has no rows",
    "dosya parolayla şifrelenmiş; Excel'de açıp parolayı kaldırın ve yeniden yükleyin": (
        "the file is encrypted with a password; remove it in Excel and upload again"
    ),
    "{what}, Excel dosyası değil": "{what}, no sheet",
    "bu bir Windows programı (.exe)": "this is a Windows program (.exe)",
    "bu bir program": "this is a program",
    "bu bir PDF dosyası": "this is a PDF file",
    "bu bir RTF belgesi": "this is an RTF document",
    "bu bir Excel çalışma kitabı değil (eski Office belgesi)": "this is an old Office file, no workbook",
    "bu bir HTML veya XML dosyası; Excel'de açıp .xlsx olarak kaydedin": (
        "this is an HTML or XML file; open it in Excel and save it as .xlsx"
    ),
    "içeriği ne Excel (.xlsx, .xlsm, .xls, .xlsb), ne .ods, ne de .csv": (
        "its content is neither Excel (.xlsx, .xlsm, .xls, .xlsb) nor .ods nor .csv"
    ),
    "bu bir zip dosyası, ama çalışma kitabı değil": "this is a zip file, but no workbook",
    "metnin kodlaması tanınmadı (UTF-8, UTF-16 ya da Windows-1254 olmalı)": (
        "the encoding of the text is unknown (UTF-8, UTF-16 or Windows-1254 are read)"
    ),
    # too large
    "sayfada {limit} satırdan fazlası var; dosyayı bölün": "a sheet has more than {limit} rows; split the file",
    "sayfada {count} sütun var; en çok {limit} sütun okunur, fazlasını silin": (
        "the sheet has {count} columns; at most {limit} are read, delete the others"
    ),
    "{cell} hücresi var; en çok {limit} sütun okunur, fazlasını silin": (
        "it has a cell {cell}; at most {limit} columns are read, delete the others"
    ),
    "{row}. satırda {limit} karakterden uzun bir hücre var": "a cell in row {row} has more than {limit} characters",
    "okumak için gereken bellek sınırı aşıyor; dosyayı bölün": "reading it needs too much memory; split the file",
    "{why}; dosya çok büyük, bozuk ya da zararlı olabilir (sade bir .xlsx olarak kaydedip deneyin)": (
        "{why}; it may be too large, broken or harmful (try to save it as plain .xlsx)"
    ),
    "bir satır grubu çok büyük": "a group of rows is too large",
    "{seconds} saniyede okunamadı": "it was not read within {seconds} s",
    "okunması çok uzun sürdü": "reading it took too long",
    "okumaya bellek yetmedi ({code})": "the reader ran out of memory ({code})",
    # harmful
    "dosya güvenli biçimde açılamaz: {why}": "the file can't be unpacked safely: {why}",
    "{count} parçası var, en çok {limit} olabilir": "it has {count} parts, at most {limit} are allowed",
    "{name} parçası iki kez var": "the part {name} is there twice",
    "{name} adlı parçası var": "it has a part called {name}",
    "bilinmeyen sıkıştırma yöntemi": "it is compressed in an unknown way",
    "açılınca {limit} MB'tan büyük oluyor": "it unpacks to more than {limit} MB",
    "{ratio} kattan fazla sıkıştırılmış": "it is packed more than {ratio} times",
    "içinde DOCTYPE veya ENTITY var": "it holds a DOCTYPE or ENTITY",
    # broken
    "dosya bozuk veya yarım ({why}); yeniden kaydedip yükleyin": (
        "the file is broken or cut short ({why}); save it anew and upload it again"
    ),
    "zip sonu yok": "the zip has no end",
    "çalışma kitabı parçası eksik": "the part with the workbook is missing",
    "{part} parçası eksik": "the part {part} is missing",
    "{part} parçası çok büyük": "the part {part} is too large",
    "{part}: ilişkiler eksik": "{part}: its relationships are missing",
    "dosyada satır ve sütunlardan oluşan bir sayfa yok": "it has no sheet of rows and columns",
    "içindeki bilgiler eksik ya da birbirini tutmuyor": "what it says of itself is incomplete or contradicts itself",
    "sayfa yarım": "the sheet is cut short",
    "sayfanın başı çok uzun": "the start of the sheet is too long",
    "bir satır {limit}'tan büyük": "a row is larger than {limit}",
    "satır numaraları sırasız": "the numbers of rows are out of order",
    "{row}. satırdan sonra satır numaraları tutarsız": ("behind row {row} the numbers of rows contradict each other"),
    "{rows} arası satırlar: olmayan bir metne başvuru": "rows {rows}: they name a text that is not there",
    "{rows} arası satırlar: {said}": "rows {rows}: {said}",
    "{row}. satırdaki çift tırnak kapanmıyor": "a quote in row {row} is never closed",
    "{line}. satır: {said}": "line {line}: {said}",
}
