module example.com/sparta

go 1.16
