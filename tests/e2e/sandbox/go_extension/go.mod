module go_extension

go 1.21
